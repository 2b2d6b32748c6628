"""A month is ripe, or each thing that speaks against it is a sentence with a number and what to do."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sms_etl.finance.closing.facts import Facts, Layers
from sms_etl.finance.closing.ripeness import reasons_against
from sms_etl_tests.finance.account import at
from sms_etl_tests.finance.closing.small import FEBRUARY, JANUARY

RIPE = Facts(
    month=FEBRUARY,
    timezone="Europe/Berlin",
    starts_at=at("2026-01-31 23:00"),
    ends_at=at("2026-02-28 23:00"),
    now=at("2026-02-28 23:00"),
)
UUIDS = tuple(f"uuid-{number}" for number in range(5))


def test_nothing_speaks_against_a_ripe_month() -> None:
    assert reasons_against(RIPE) == ()


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"now": at("2026-02-28 22:59:59")}, ["February 2026 is not over", "1 March 2026, 00:00"]),
        ({"open_before": (JANUARY,)}, ["1 earlier month is not closed: 2026-01", "earliest first"]),
        (
            {"missing_seconds": 3600},
            ["3,600 seconds of the month were not read", "--since 2026-01-31 --until 2026-02-28"],
        ),
        ({"open_messages": 2}, ["2 messages may still change", "`sms-etl sync`"]),
        ({"unpriced": 1}, ["1 message has no price", "ask the provider"]),
        ({"waiting": 3}, ["3 rows or files", "quarantine list", "--replay-quarantine"]),
        ({"failed_checks": ("x: y (1 rows)",)}, ["1 blocking check failed", "x: y", "`sms-etl build`"]),
        ({"is_current": False}, ["do not show what was loaded last", "`sms-etl build`"]),
        ({"layers": (Layers("EUR", 1, Decimal("0.000001")),)}, ["differ by EUR 0.000001 and 1 message"]),
    ],
)
def test_what_can_be_forced(found: dict[str, Any], says: list[str]) -> None:
    (reason,) = reasons_against(replace(RIPE, **found))
    assert [said for said in says if said not in reason.text] == []
    assert reason.can_be_forced


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"differing": 1, "differing_uuids": UUIDS[:1]}, ["1 message in raw.sms differs", "uuid-0."]),
        ({"differing": 12, "differing_uuids": UUIDS}, ["12 messages in raw.sms", "uuid-4 and 7 more"]),
        ({"changed_months": (JANUARY,)}, ["1 closed month no longer give the digest: 2026-01", "backup"]),
    ],
)
def test_what_was_changed_by_hand_cannot_be_forced(found: dict[str, Any], says: list[str]) -> None:
    (reason,) = reasons_against(replace(RIPE, **found))
    assert [said for said in says if said not in reason.text] == []
    assert not reason.can_be_forced


@pytest.mark.parametrize(("missing", "reasons"), [(3600, 1), (3601, 2)])
def test_of_a_month_that_is_not_over_only_what_is_over_can_be_missing(missing: int, reasons: int) -> None:
    running = replace(RIPE, now=at("2026-02-28 22:00"), missing_seconds=missing)
    assert len(reasons_against(running)) == reasons


def test_a_failed_check_is_not_told_a_second_time_as_a_stale_build() -> None:
    assert len(reasons_against(replace(RIPE, failed_checks=("x",), is_current=False))) == 1
