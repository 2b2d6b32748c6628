"""`sms-etl report --overview`, and the overview that each publication draws."""

import json
import shlex
from pathlib import Path

import duckdb
import pytest

from sms_etl_tests.cli.running import Run, the_object


def test_the_overview_is_written_where_it_is_wanted_and_its_figures_are_told(
    synced: Run, tmp_path: Path
) -> None:
    values = the_object(synced("report", "--overview", "--out", str(tmp_path / "pages"), "--json"))
    assert values["files"] == [str(tmp_path / "pages" / "overview.html")]
    ((messages,),) = json.loads(
        synced(
            "query",
            "--json",
            "select sum(messages)::int from marts.delivery_daily, ops.build_context "
            "where business_day > timezone(timezone, timezone('UTC', as_of_at))::date - 28",
        ).stdout
    )["rows"]
    assert values["messages"] == messages
    assert "Overview" in Path(values["files"][0]).read_text(encoding="utf-8")


def test_in_words_it_names_what_needs_attention_on_stderr_and_the_page_on_stdout(
    synced: Run, tmp_path: Path
) -> None:
    page = tmp_path / "data" / "reports" / "overview.html"
    page.unlink()  # the sync has drawn it
    result = synced("report", "--overview")
    assert result.exit_code == 0
    assert page.is_file()
    assert result.stdout == f"{page}\n"
    assert result.stderr.startswith(("1. ", "Nothing needs attention."))


def test_every_command_that_the_overview_names_can_be_run(synced: Run, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("insert into raw.sms select * from raw.sms limit 1")
        connection.execute(
            "update raw.sms set iso2 = 'NG', sender_id = 'New' where created_at >= ("
            "select max(created_at) - interval 20 hour from raw.sms)"
        )
    assert synced("build", "--full").exit_code == 3
    assert synced("publish", "--force", "--reason", "to look at it").exit_code == 0
    found = the_object(synced("report", "--overview", "--json"))["attention"]
    assert found[0]["is_alarm"]
    commands = [part for each in found for part in each["command"].split(" && ")]
    queries = [command for command in commands if command.startswith("sms-etl query")]
    for query in queries:
        assert synced(*shlex.split(query)[1:], "--json").exit_code == 0, query
    for command in commands:
        assert synced(*shlex.split(command)[1:2], "--help").exit_code == 0, command


@pytest.mark.parametrize(
    "words",
    [("report",), ("report", "--overview", "--month", "2026-01"), ("report", "--overview", "--out")],
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_before_anything_was_published_it_says_what_to_run(run: Run) -> None:
    result = run("report", "--overview")
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


def test_a_page_that_cannot_be_drawn_fails_no_publication(synced: Run, tmp_path: Path) -> None:
    page = tmp_path / "data" / "reports" / "overview.html"
    values = the_object(synced("publish", "--json"))
    assert (values["overview"], values["overview_error"]) == (str(page), None)
    page.unlink()
    page.parent.rmdir()
    page.parent.touch()
    values = the_object(result := synced("publish", "--json"))
    assert result.exit_code == 0
    assert (values["overview"], "reports" in values["overview_error"]) == (None, True)
    failed = synced("report", "--overview")
    assert (failed.exit_code, "cannot be made" in failed.stderr) == (1, True)
