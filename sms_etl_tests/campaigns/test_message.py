"""Sender, text and time are checked as the provider does, and the preview says what is charged and why."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sms_etl.campaigns.message import check_sender, check_text, moment_of, preview_of
from sms_etl.errors import CampaignRefused

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("sender", ["ACME", "ACME Shop 1", "+491701234567", "4917012345678", "12345678901"])
def test_a_sender_is_a_number_or_a_short_name(sender: str) -> None:
    assert check_sender(f" {sender} ") == sender


@pytest.mark.parametrize(
    "sender", ["", "  ", "ACME Shop 12", "Bäcker", "ACME!", "+", "+0170", "1234567890123456"]
)
def test_any_other_sender_is_refused(sender: str) -> None:
    with pytest.raises(CampaignRefused, match="--sender"):
        check_sender(sender)


def test_a_text_is_neither_empty_nor_too_long() -> None:
    assert check_text("a" * 1785)
    for text in ("", " \n", "a" * 1786, "\udcff"):
        with pytest.raises(CampaignRefused, match="--text"):
            check_text(text)


def test_a_preview_counts_parts_and_names_what_forces_unicode() -> None:
    plain, quoted = preview_of("Hällo €" * 25), preview_of("“" + "a" * 70 + "“")
    assert (plain.encoding, plain.units, plain.parts, plain.foreign) == ("gsm7", 200, 2, ())
    assert (quoted.encoding, quoted.units, quoted.parts) == ("ucs2", 72, 2)
    assert [(each.code, each.name, each.count) for each in quoted.foreign] == [
        ("U+201C", "LEFT DOUBLE QUOTATION MARK", 2)
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T09:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-07-02 09:00", datetime(2026, 7, 2, 7, tzinfo=UTC)),
        ("2026-07-02T09:00:00Z", datetime(2026, 7, 2, 9, tzinfo=UTC)),
        ("2026-10-25T02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_business_time_zone(text: str, moment: datetime) -> None:
    assert moment_of(text, BERLIN) == moment


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tomorrow", "no time"),
        ("2026-03-02", "no time"),
        ("2026-10-25T02:30", "comes twice"),
        ("2026-03-29T02:30", "not at all"),
    ],
)
def test_a_time_that_is_none_or_two_is_refused(text: str, says: str) -> None:
    with pytest.raises(CampaignRefused, match=says):
        moment_of(text, BERLIN)
