"""Failed checks, and what they keep from being published."""

import json
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
    assert "No two rows have the same uuid, and none lacks it (marts.fct_sms: grain_unique, " in " ".join(
        result.stderr.split()
    )
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


def test_a_build_of_a_part_is_not_published_and_the_next_sync_builds_all(synced: Run) -> None:
    result = synced("build", "--select", "+marts.cost_daily,dim_status", "--select", "cost_monthly", "--json")
    assert result.exit_code == 0
    built = the_object(result)
    assert {"marts.fct_sms", "marts.cost_daily", "marts.cost_monthly", "marts.dim_status"} <= set(
        built["models"]
    )
    assert "marts.delivery_daily" not in built["models"]
    assert built["selection"] == "+marts.cost_daily,dim_status cost_monthly"

    refused = synced("publish")
    assert refused.exit_code == 3
    assert "the last build was one of a part (+marts.cost_daily" in refused.stderr
    (warning,) = [text for text in the_object(synced("status", "--json"))["warnings"] if "part" in text]
    assert "`sms-etl build` builds all" in warning

    again = the_object(synced("sync", "--json"))
    assert len(again["build"]["models"]) > len(built["models"])
    assert again["published"]
    assert not [text for text in the_object(synced("status", "--json"))["warnings"] if "part" in text]


def test_a_part_may_be_published_by_force_and_says_so(synced: Run) -> None:
    said = synced("build", "--select", "cost_daily").stdout
    assert "A part was built; it is not published." in said
    assert synced("publish", "--force", "--reason", "known").exit_code == 0
    forced = the_object(synced("status", "--json"))["forced"]
    assert forced["failed_tests"] == ["the last build was one of a part (cost_daily)"]


def test_a_misspelt_model_ends_with_2_names_those_there_are_and_changes_nothing(synced: Run) -> None:
    result = synced("build", "--select", "+cost_montly")
    assert result.exit_code == 2
    assert "did you mean cost_monthly?" in result.stderr
    assert "marts.delivery_daily" in result.stderr
    assert the_object(synced("sync", "--json"))["is_up_to_date"]


def test_a_part_that_reads_what_was_never_built_says_what_to_select(
    run: Run, account: dict[str, str]
) -> None:
    run("sync", "--no-build", **account)
    result = run("build", "--select", "cost_monthly")
    assert result.exit_code == 1
    assert "marts.cost_monthly reads marts.cost_daily, which is not built yet" in result.stderr
    assert "--select +marts.cost_monthly" in result.stderr
    assert run("build", "--select", "+cost_monthly").exit_code == 0


def test_rows_that_a_test_found_wrong_are_kept_until_a_build_without_them(
    synced: Run, tmp_path: Path
) -> None:
    def kept() -> list[list[str]]:
        where = "model = 'marts.fct_sms' and test = 'grain_unique'"
        sql = f"select test, row from ops.failed_test_rows where {where}"
        rows: list[list[str]] = the_object(synced("query", "--warehouse", "--json", sql))["rows"]
        return rows

    assert kept() == []
    break_a_figure(tmp_path / "data" / "warehouse.duckdb")
    assert "ops.failed_test_rows" in synced("build").stdout
    ((test, row),) = kept()
    assert test == "grain_unique"
    assert json.loads(row) | {"uuid": ""} == {"uuid": "", "rows": "2"}
    synced("publish", "--force", "--reason", "to look at it")
    published = synced(
        "query", "--json", "select count(*) from ops.failed_test_rows where test = 'grain_unique'"
    )
    assert the_object(published)["rows"][0][0] > 0
    mend_it(tmp_path / "data" / "warehouse.duckdb")
    assert synced("build").exit_code == 0
    assert kept() == []


def test_what_was_loaded_and_never_built_is_not_published(run: Run, account: dict[str, str]) -> None:
    run("sync", "--no-build", **account)
    result = run("publish")
    assert result.exit_code == 3
    assert "nothing was built yet" in result.stderr
