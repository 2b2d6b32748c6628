"""The commands about personal data as a person meets them: exit codes, one JSON object, what to do next."""

import json
from pathlib import Path

import pytest

from sms_etl.pii.key import KEY_FILE
from sms_etl_tests.cli.running import Run, the_object


@pytest.fixture
def kept(run: Run, account: dict[str, str]) -> Run:
    """Runs commands on a data directory that was synced under `keep`, and now has the default policy."""
    assert run("sync", "--json", **account, pii="keep").exit_code == 0
    run("--version", pii="pseudonymise")
    return run


def test_what_was_kept_is_refused_with_2_until_pii_apply_has_blanked_it(kept: Run) -> None:
    for words in (("sync",), ("build",), ("publish",)):
        refused = kept(*words)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "`sms-etl pii apply` blanks them, for good" in refused.stderr
    status = kept("status", "--json")
    assert (status.exit_code, the_object(status)["personal_data"]) == (3, "keep")
    assert "SMS_ETL_PII=pseudonymise is not applied" in " ".join(kept("status").stdout.split())
    applied = kept("pii", "apply", "--json")
    assert applied.exit_code == 0
    values = the_object(applied)
    assert (values["is_changed"], values["policy"], values["files_unreadable"]) == (True, "pseudonymise", [])
    assert values["messages"] >= 300
    assert Path(values["published"]).exists()
    assert the_object(kept("pii", "apply", "--json"))["is_changed"] is False
    assert kept("sync").exit_code == 0
    assert the_object(kept("status", "--json"))["personal_data"] == "pseudonymise"


def test_a_landed_file_that_cannot_be_read_ends_pii_apply_with_3_and_is_named(
    kept: Run, tmp_path: Path
) -> None:
    (tmp_path / "data" / "landing" / "sms" / "cut.parquet").write_text("cut")
    result = kept("pii", "apply")
    assert result.exit_code == 3
    assert "landing/sms/cut.parquet: it cannot be read" in " ".join(result.stdout.split())


def test_a_lost_key_is_refused_with_2_until_another_is_accepted_for_a_reason(
    run: Run,
    account: dict[str, str],
    tmp_path: Path,
) -> None:
    assert run("sync", "--no-build", **account).exit_code == 0
    (tmp_path / "data" / KEY_FILE).unlink()
    refused = run("sync")
    assert refused.exit_code == 2
    assert "sms-etl pii accept-key" in refused.stderr
    assert run("pii", "accept-key", "--reason", " ").exit_code == 2
    accepted = the_object(run("pii", "accept-key", "--reason", "lost", "--json"))
    assert accepted["is_changed"] is True
    assert run("sync", "--no-build").exit_code == 0
    assert "Nothing was changed" in run("pii", "accept-key", "--reason", "again").stdout


def test_a_short_key_is_refused_with_2_and_how_to_make_one(run: Run) -> None:
    refused = run("status", pii_key="a")
    assert refused.exit_code == 2
    assert "at least 32 bytes" in refused.stderr


def test_a_backup_says_where_it_lies_and_the_warehouse_itself_can_be_asked(
    run: Run,
    account: dict[str, str],
) -> None:
    assert run("sync", **account).exit_code == 0
    assert Path(the_object(run("backup", "--json"))["path"]).exists()
    counted = run("query", "--warehouse", "--json", "select count(*) from raw.sms")
    assert json.loads(counted.stdout)["rows"][0][0] >= 300
    refused = run("query", "select count(*) from raw.sms")
    assert refused.exit_code == 1
    assert "SMS_ETL_PUBLISH=all" in refused.stderr
