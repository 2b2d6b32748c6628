"""`sync`, `build` and `publish` as a person meets them."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run, insert_bad_rows, the_object


def test_sync_prints_one_json_object_with_what_the_contract_names(run: Run, account: dict[str, str]) -> None:
    result = run("sync", "--json", **account)
    values = the_object(result)
    assert values["stopped_reason"] == "done"
    assert values["rows_new"] > 300
    assert values["build"]["failed_tests"] == []
    assert Path(values["published"]).exists()


def test_sync_says_in_sentences_what_it_did(run: Run, account: dict[str, str]) -> None:
    said = run("sync", **account).stdout
    assert re.search(r"\d+ new and 0 changed of \d+ rows read", said)
    assert "models built" in said
    assert "Published" in said


def test_no_build_stops_after_the_load(run: Run, account: dict[str, str]) -> None:
    values = the_object(run("sync", "--no-build", "--json", **account))
    assert values["build"] is None
    assert values["published"] is None
    assert run("query", "select 1").exit_code == 1


def test_build_and_publish_do_the_rest(run: Run, account: dict[str, str]) -> None:
    run("sync", "--no-build", **account)
    assert the_object(run("build", "--json"))["models"]["marts.fct_sms"] == 300
    assert "models built" in run("build").stdout
    assert the_object(run("publish", "--json"))["bytes"] > 0
    assert "Published" in run("publish").stdout
    assert "300" in run("query", "select count(*) from marts.fct_sms").stdout


def test_a_backfill_reads_whole_days(run: Run, account: dict[str, str], provider: SandboxHandle) -> None:
    run("sync", "--no-build", **account)
    day = (provider.now() - timedelta(days=2)).date()
    provider.forget_requests()
    values = the_object(run("sync", "--no-build", "--json", "--since", f"{day}", "--until", f"{day}"))
    assert values["watermark_before"] == values["watermark_after"]
    [window] = {
        tuple(re.findall(r"te%5D=(\d+)", request["query"]))
        for request in provider.requests()
        if request["path"] == "/sms"
    }
    assert int(window[1]) - int(window[0]) == 86399


def test_quarantined_rows_end_with_3_and_say_so(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    provider.insert({"created_at": to_unix(provider.now()), "extra": {"price": "much"}})
    result = run("sync", **account)
    assert result.exit_code == 3
    assert "1 rows could not be loaded" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    "words", [("sync",), ("sync", "--no-build"), ("sync", "--replay-quarantine"), ("status",)]
)
def test_while_a_row_waits_in_quarantine_every_sync_and_status_end_with_3_and_say_how_many(
    run: Run, account: dict[str, str], provider: SandboxHandle, words: tuple[str, ...]
) -> None:
    insert_bad_rows(provider, {"price": "much"})
    assert run("sync", "--no-build", **account).exit_code == 3
    result = run(*words)
    assert result.exit_code == 3
    assert "1 row waits in quarantine. `sms-etl quarantine list`" in " ".join(result.stdout.split())
    as_json = run(*words, "--json")
    assert (as_json.exit_code, the_object(as_json)["quarantine_open"]) == (3, 1)


def test_a_changed_format_ends_with_1_each_time_and_says_what_changed(
    run: Run, account: dict[str, str], empty_provider: SandboxHandle
) -> None:
    insert_bad_rows(empty_provider, *[{"created_at": "2026-01-31T12:00:00Z"}] * 100)
    account["lox24_base_url"] = empty_provider.url
    for _ in range(2):
        result = run("sync", "--no-build", **account)
        assert result.exit_code == 1
        assert "The provider's format has changed: 100 rows of /sms" in result.stderr
        assert "Expected `int`, got `str` - at `$.created_at`" in result.stderr
    assert the_object(run("status", "--json"))["last_run"]["stopped_reason"] == "FormatChanged"
