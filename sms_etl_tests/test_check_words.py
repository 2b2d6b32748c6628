"""A check that failed is told by what it looks at, and its name stands behind it."""

from pathlib import Path

import pytest

from sms_etl.check_words import check_words
from sms_etl.settings import Settings

SAID = "Budgets of a month that is not over which are passed, or will be by the forecast"


@pytest.mark.parametrize(("rows", "counted"), [(1, "1 row"), (1200, "1,200 rows")])
def test_the_name_of_a_check_becomes_its_description(tmp_path: Path, rows: int, counted: str) -> None:
    words = check_words(Settings(data_dir=tmp_path))
    named = f"marts.budget_status: budgets_that_do_not_hold ({rows} rows)"
    assert words(named) == f"{SAID} (marts.budget_status: budgets_that_do_not_hold, {counted})"


@pytest.mark.parametrize(
    "text",
    [
        "marts.fct_sms: a_check_of_another_version (1 rows)",
        "the last build ended in an error (3 models)",
        "nothing was built yet",
    ],
)
def test_what_is_no_check_of_the_models_as_they_are_stays_as_it_is(tmp_path: Path, text: str) -> None:
    assert check_words(Settings(data_dir=tmp_path))(text) == text


def test_models_that_cannot_be_read_leave_the_name(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "no_such_seed.csv").write_text("a,b\n", encoding="utf-8")
    named = "marts.budget_status: budgets_that_do_not_hold (1 rows)"
    assert check_words(Settings(data_dir=tmp_path))(named) == named
