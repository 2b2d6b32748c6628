"""What is written where, and that a page which cannot be drawn stops nothing."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from sms_etl.errors import DataDirError
from sms_etl.files import mode_of
from sms_etl.overview import refresh
from sms_etl.overview.refresh import Refreshed, refresh_overview
from sms_etl.overview.write import write_overview
from sms_etl.settings import load_settings
from sms_etl_tests.overview.account import WRITTEN_AT


def test_one_file_is_written_for_its_owner_alone_and_the_figures_are_told(
    calm_path: Path, tmp_path: Path
) -> None:
    with duckdb.connect(str(calm_path), read_only=True) as connection:
        values = write_overview(connection, tmp_path / "reports", generated_at=WRITTEN_AT).as_json()
    html = tmp_path / "reports" / "overview.html"
    assert [*html.parent.iterdir()] == [html]
    assert mode_of(html) == 0o600
    assert values["files"] == [str(html)]
    assert values["as_of"] == "2026-03-12T15:40:00+00:00"
    assert values["written_at"] == "2026-03-12T15:45:00+00:00"
    assert (values["needs_attention"], values["attention"]) == (False, [])


def test_what_needs_attention_is_told_with_its_command(troubled_path: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(troubled_path), read_only=True) as connection:
        values = write_overview(connection, tmp_path, generated_at=WRITTEN_AT).as_json()
    assert values["needs_attention"]
    assert values["attention"][0]["command"] == "sms-etl build && sms-etl publish"
    assert values["quarantine_open"] == 3
    assert values["failed_checks"] == 2


def test_checks_are_told_in_words_and_their_names_stand_behind(troubled_path: Path, tmp_path: Path) -> None:
    def words(named: str) -> str:
        model, _, rest = named.partition(": ")
        test, _, rows = rest.removesuffix(")").partition(" (")
        return f"What {test} looks at ({model}: {test}, {rows})"

    with duckdb.connect(str(troubled_path), read_only=True) as connection:
        result = write_overview(connection, tmp_path, generated_at=WRITTEN_AT, check_words=words)
    said = " ".join(each.text for each in result.findings)
    assert "What money_reconciles looks at (marts.cost_monthly: money_reconciles, " in said
    page = result.html.read_text(encoding="utf-8")
    assert '<td class="name">What money_reconciles looks at</td>' in page
    assert '<td class="name">marts.cost_monthly: money_reconciles</td>' in page


def test_a_page_of_the_same_moment_is_the_same(calm_path: Path, tmp_path: Path) -> None:
    pages = []
    for folder in ("one", "two"):
        with duckdb.connect(str(calm_path), read_only=True) as connection:
            result = write_overview(connection, tmp_path / folder, generated_at=WRITTEN_AT)
        pages.append(result.html.read_bytes())
    assert pages[0] == pages[1]


def test_a_folder_that_cannot_be_written_is_told(calm_path: Path, tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    with (
        duckdb.connect(str(calm_path), read_only=True) as connection,
        pytest.raises(DataDirError, match="reports"),
    ):
        write_overview(connection, tmp_path / "reports", generated_at=WRITTEN_AT)


def test_a_copy_that_is_not_there_is_a_warning_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = refresh_overview(load_settings(data_dir=tmp_path, lox24_token=None))
    assert found.html is None
    assert found.error is not None
    assert "sms-etl report --overview" in caplog.text


def test_what_an_unforeseen_error_says_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calm_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_args: object, **_named: object) -> None:
        raise ValueError("+4917612345678")

    monkeypatch.setattr(refresh, "write_overview", failing)
    settings = load_settings(data_dir=tmp_path, lox24_token=None, now=datetime(2026, 3, 12, tzinfo=UTC))
    settings.published_path.parent.mkdir()
    settings.published_path.write_bytes(calm_path.read_bytes())
    assert refresh_overview(settings) == Refreshed(None, "ValueError")
    assert "17612345678" not in caplog.text
