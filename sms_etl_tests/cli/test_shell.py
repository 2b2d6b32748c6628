"""Holds what somebody meets who asks the published copy one query after the other."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sms_etl.cli.commands import cli
from sms_etl.cli.prompt import Prompt, has_ended, statements
from sms_etl.errors import QueryError
from sms_etl.settings import Settings, load_settings
from sms_etl_tests.cli.running import Run
from sms_etl_tests.warehouse.published_rows import ROWS, publish_rows


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = load_settings(data_dir=tmp_path / "data")
    publish_rows(settings)
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(settings.data_dir))
    return settings


def piped(text: str, *words: str) -> Result:
    return CliRunner().invoke(cli, ["shell", *words], input=text, catch_exceptions=False)


@pytest.mark.usefixtures("settings")
def test_queries_from_a_pipe_are_run_one_after_the_other() -> None:
    result = piped(
        "select 1 as one; select\n  ';' as sign -- no end;\n;\n\nselect count(*) as n from marts.fct_sms"
    )
    assert result.exit_code == 0
    assert result.stdout.replace("-", "").split() == ["one", "1", "sign", ";", "n", "5"]
    assert "sms-etl>" not in result.output


@pytest.mark.usefixtures("settings")
def test_csv_keeps_every_digit() -> None:
    result = piped("select price from marts.fct_sms order by price desc nulls last limit 1;", "--csv")
    assert result.stdout.splitlines() == ["price", "999999999999.999999"]


@pytest.mark.usefixtures("settings")
def test_the_first_query_that_is_refused_ends_a_pipe_with_exit_1() -> None:
    result = piped("select 1 as one; drop table marts.fct_sms; select 2 as two;")
    assert result.exit_code == 1
    assert "one" in result.stdout
    assert "two" not in result.stdout
    assert "read-only" in result.stderr


@pytest.mark.usefixtures("settings")
def test_short_commands_list_tables_and_columns() -> None:
    result = piped(
        ".tables\n.schema marts.fct_sms\n.schema dim_country;\n.tables all\n.help\n.quit\nselect 1/'x';"
    )
    assert result.exit_code == 0
    for said in ("marts.dim_country", "whole message, net of VAT", "country_name", "ops.account", "Ctrl-D"):
        assert said in result.stdout
    assert piped(".table").exit_code == 1


def test_before_the_first_publication_it_says_what_to_do(run: Run) -> None:
    result = run("shell")
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


def test_a_session_at_a_terminal_survives_a_wrong_query_and_sees_the_next_publication(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    count = "select count(*) as n from marts.fct_sms;"
    written: Iterator[str | type[BaseException]] = iter(
        [count, "selec 1;", "select", KeyboardInterrupt, ".nothing", count, EOFError]
    )
    prompts = []

    def type_next(prompt: str) -> str:
        prompts.append(prompt.strip())
        following = next(written)
        if following == count and len(prompts) > 1:
            publish_rows(settings, ROWS[:2], at=2)
        if isinstance(following, str):
            return following
        raise following

    monkeypatch.setattr("builtins.input", type_next)
    Prompt(settings, is_interactive=True).run(io.StringIO())
    out, err = capsys.readouterr()
    assert out.replace("-", "").split() == ["n", "5", "n", "2"]
    assert "syntax error" in err
    assert ".help" in err
    assert prompts == ["sms-etl>", "sms-etl>", "sms-etl>", "...>", "sms-etl>", "sms-etl>", "sms-etl>"]


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("select 1;", True),
        ("select 'ä;", False),
        ("select 'ä' ;  -- done;", True),
        ("select 1 -- ;", False),
        ('select ";', False),
        ("", False),
        (";", True),
    ],
)
def test_a_query_ends_with_a_semicolon_that_is_one(text: str, ended: bool) -> None:
    assert has_ended(text) is ended


def test_what_cannot_be_divided_is_passed_on_to_be_refused(settings: Settings) -> None:
    assert statements("selec 1; select 2") == ["selec 1; select 2"]
    with pytest.raises(QueryError, match="syntax error"):
        Prompt(settings).run(io.StringIO("selec 1; select 2"))
