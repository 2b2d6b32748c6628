"""Holds that the sync and the models agree on what is final."""

import csv

import pytest

from sms_etl.models.files import default_path
from sms_etl.providers.lox24.codes import (
    CANCELLED_STATUS_CODES,
    FINAL_DLR_CODES,
    FINAL_STATUS_CODES,
    NEW,
    OPEN_BULK_CODES,
    SENT,
    is_currency,
)


def codes(seed: str, code: str, *, final: bool) -> set[int]:
    """Return the codes of a seed that are final, or those that are not."""
    rows = csv.DictReader((default_path() / "seeds" / f"{seed}.csv").read_text(encoding="utf-8").splitlines())
    return {int(row[code]) for row in rows if row["is_final"] == str(final).lower()}


def test_the_final_codes_of_messages_are_those_of_the_seeds() -> None:
    assert codes("status_codes", "status_code", final=True) == FINAL_STATUS_CODES
    assert codes("dlr_codes", "dlr_code", final=True) == FINAL_DLR_CODES
    assert SENT in codes("status_codes", "status_code", final=False)


def test_what_can_be_cancelled_and_what_is_are_as_the_seeds_say() -> None:
    text = (default_path() / "seeds" / "status_codes.csv").read_text(encoding="utf-8")
    found = {int(row["status_code"]): row["delivery_status"] for row in csv.DictReader(text.splitlines())}
    assert {code for code, status in found.items() if status == "cancelled"} == CANCELLED_STATUS_CODES
    assert found[NEW] == "queued"


def test_the_open_codes_of_bulks_are_those_of_the_seeds() -> None:
    assert codes("bulk_status_codes", "status_code", final=False) == OPEN_BULK_CODES


@pytest.mark.parametrize(("text", "expected"), [("EUR", True), ("eur", False), ("EURO", False), ("", False)])
def test_a_currency_is_three_capital_letters(text: str, expected: bool) -> None:
    assert is_currency(text) is expected
