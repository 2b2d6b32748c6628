"""Failed checks, and what they keep from being published."""

from pathlib import Path

import duckdb
import pytest

from sms_etl_tests.cli.running import Run, the_object


def test_a_failed_check_ends_with_3_and_keeps_the_published_copy(synced: Run, tmp_path: Path) -> None:
    published = tmp_path / "data" / "published" / "warehouse.duckdb"
    before = published.read_bytes()
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("insert into raw.sms select * from raw.sms limit 1")
    result = synced("sync")
    assert result.exit_code == 3
    assert "failed" in result.stdout
    assert published.read_bytes() == before
    assert synced("build").exit_code == 3
    assert "grain_unique" in synced("status").stdout


def break_a_figure(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("insert into raw.sms select * from raw.sms limit 1")


def mend_it(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create or replace temp table kept as select distinct * from raw.sms")
        connection.execute("delete from raw.sms")
        connection.execute("insert into raw.sms from kept")


def test_publish_refuses_with_3_what_failed_a_check_and_names_it(synced: Run, tmp_path: Path) -> None:
    published = tmp_path / "data" / "published" / "warehouse.duckdb"
    before = published.read_bytes()
    break_a_figure(tmp_path / "data" / "warehouse.duckdb")
    assert synced("build").exit_code == 3
    result = synced("publish")
    assert result.exit_code == 3
    assert "grain_unique" in result.stderr
    assert "--force --reason" in result.stderr
    assert published.read_bytes() == before


def test_a_forced_copy_is_shown_by_status_until_a_healthy_build_is_published(
    synced: Run, tmp_path: Path
) -> None:
    break_a_figure(tmp_path / "data" / "warehouse.duckdb")
    synced("build")
    result = synced("publish", "--force", "--reason", "one row twice, known", "--json")
    assert result.exit_code == 0
    values = the_object(result)
    assert (values["is_forced"], values["forced_reason"]) == (True, "one row twice, known")
    assert any("grain_unique" in failed for failed in values["failed_tests"])

    status = synced("status")
    assert status.exit_code == 3
    assert "one row twice, known" in " ".join(status.stdout.split())
    forced = the_object(synced("status", "--json"))["forced"]
    assert forced["forced_reason"] == "one row twice, known"
    assert forced["published_at"].endswith("+00:00")
    asked = synced("query", "--json", "select is_forced, forced_reason from marts.data_status")
    assert the_object(asked)["rows"] == [[True, "one row twice, known"]]

    mend_it(tmp_path / "data" / "warehouse.duckdb")
    assert synced("build").exit_code == 0
    assert synced("publish").exit_code == 0
    status = synced("status", "--json")
    assert (status.exit_code, the_object(status)["forced"]) == (0, None)


@pytest.mark.parametrize("words", [("--force",), ("--reason", "because"), ("--force", "--reason", " ")])
def test_force_and_reason_go_together(synced: Run, words: tuple[str, ...]) -> None:
    result = synced("publish", *words)
    assert result.exit_code == 2
    assert "go together" in result.stderr


def test_a_build_that_ended_in_an_error_is_not_published_until_one_succeeds(
    synced: Run, tmp_path: Path
) -> None:
    seeds = tmp_path / "data" / "seeds"
    seeds.mkdir()
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre,description\nnone,Ours,\n")
    assert synced("build").exit_code == 1
    result = synced("publish")
    assert result.exit_code == 3
    assert "the last build ended in an error" in result.stderr
    assert synced("status").exit_code == 3
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre,description\n1,Ours,\n")
    assert synced("build").exit_code == 0
    assert synced("publish").exit_code == 0
    assert synced("status").exit_code == 0


def test_what_was_loaded_and_never_built_is_not_published(run: Run, account: dict[str, str]) -> None:
    run("sync", "--no-build", **account)
    result = run("publish")
    assert result.exit_code == 3
    assert "nothing was built yet" in result.stderr
