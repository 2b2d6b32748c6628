"""A report says of itself what can be relied on, in sentences that are understood at once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sms_etl.finance import locales, vocabulary, wording
from sms_etl.finance.figures import Figures, LeftOut
from sms_etl.finance.period import first_of_month
from sms_etl.finance.reading import read_figures
from sms_etl_tests.finance.account import AFTERWARDS, OPEN, Message, Published, at, write_warehouse

NOON, LONG_AFTER = at("2026-01-15 11:00"), at("2026-03-01")


def figures_of(path: Path, *messages: Message, now: datetime = LONG_AFTER, **account: Any) -> Figures:
    write_warehouse(path, messages, **account)
    with duckdb.connect(str(path), read_only=True) as connection:
        return read_figures(connection, first_of_month("2026-01"), now=now.replace(tzinfo=UTC))


def said_of(figures: Figures) -> dict[str, tuple[str, str]]:
    return {each.name: (each.state, each.text) for each in wording.statements(figures)}


def test_a_settled_month_says_that_it_stands(warehouse_path: Path) -> None:
    said = said_of(figures_of(warehouse_path, Message(NOON), Message(NOON)))
    assert said == {
        "Covered": (
            "whole month",
            "Read from 1 January, 00:00 to 31 January, 24:00. "
            "The account's first message is from 15 January.",
        ),
        "Cost": ("complete", "All 2 messages are priced."),
        "Delivery": ("complete", "All 2 messages are final."),
        "Changes": (
            "not shown",
            "There is no comparison with December 2025: there is no message before 15 January 2026.",
        ),
    }


def test_a_running_month_says_until_when_and_is_compared_with_the_same_days(warehouse_path: Path) -> None:
    recent, early = at("2026-01-19"), at("2026-01-02")
    figures = figures_of(
        warehouse_path,
        Message(at("2025-12-01 05:00")),
        Message(NOON, price=None),
        Message(early, status=OPEN),
        Message(recent, status=OPEN),
        Message(recent, status=OPEN),
        watermark_at=at("2026-01-20 12:00"),
        now=at("2026-01-20 13:00"),
    )
    assert said_of(figures) == {
        "Covered": (
            "running month, until 20 January, 13:00",
            "Read from 1 January, 00:00 to 20 January, 13:00.",
        ),
        "Cost": ("not complete", "The month is not over. 1 message has no price yet and is not in the cost."),
        "Delivery": (
            "not complete",
            "The month is not over. Final: 1 of 4 messages. 2 messages may still change. "
            "1 message had no final report within 5 days and is no longer re-fetched.",
        ),
        "Changes": (
            "against the same days",
            "1–19 January 2026 is compared with the same days of December 2025; days not read whole "
            "in both are left out.",
        ),
    }
    assert wording.before(figures.basis) == "1–19 Dec 2025"


def test_a_start_within_the_month_says_which_days_were_not_read(warehouse_path: Path) -> None:
    figures = figures_of(warehouse_path, Message(NOON), windows=[(at("2026-01-14 23:00"), AFTERWARDS)])
    assert said_of(figures)["Covered"] == (
        "part of the month",
        "Read from 15 January, 00:00 to 31 January, 24:00. 1–14 January was not read.",
    )
    assert said_of(figures)["Cost"] == (
        "not complete",
        "A part of the month was not read. The only message is priced.",
    )


def test_gaps_are_named_by_their_days_or_their_times(warehouse_path: Path) -> None:
    windows = [
        (at("1970-01-01"), at("2026-01-04 22:59:59")),
        (at("2026-01-05 23:00"), at("2026-01-10 08:59:59")),
        (at("2026-01-10 14:30"), at("2026-01-20 09:59:59")),
    ]
    figures = figures_of(warehouse_path, Message(NOON), windows=windows)
    assert said_of(figures)["Covered"][1] == (
        "Read from 1 January, 00:00 to 20 January, 11:00. 5 January, 10 January, 10:00 to 15:30 "
        "and 20 January, 11:00 to 31 January, 24:00 were not read."
    )


def test_a_gap_of_seconds_is_named_by_its_seconds(warehouse_path: Path) -> None:
    windows = [(at("1970-01-01"), at("2026-01-10 08:59:29")), (at("2026-01-10 08:59:31"), AFTERWARDS)]
    figures = figures_of(warehouse_path, Message(NOON), windows=windows)
    assert said_of(figures)["Covered"][1].endswith("10 January, 09:59:30 to 09:59:31 was not read.")


def test_an_end_that_was_read_at_once_says_that_late_messages_may_follow(warehouse_path: Path) -> None:
    windows = [(at("1970-01-01"), at("2026-01-31 23:10"))]
    state, text = said_of(figures_of(warehouse_path, Message(NOON), windows=windows))["Covered"]
    assert state == "whole month"
    assert text.endswith(
        "The end was read within an hour: messages that became visible later are not in yet."
    )


def test_a_month_of_which_no_window_is_noted_says_so(warehouse_path: Path) -> None:
    windows = [(at("2026-03-01"), at("2026-03-02"))]
    figures = figures_of(warehouse_path, Message(NOON), windows=windows)
    assert said_of(figures)["Covered"] == ("nothing", "No part of the month was read.")


def test_open_messages_past_their_days_leave_delivery_complete(warehouse_path: Path) -> None:
    assert said_of(figures_of(warehouse_path, Message(NOON, status=OPEN)))["Delivery"] == (
        "complete",
        "Final: 0 of 1 message. 1 message had no final report within 5 days and is no longer re-fetched.",
    )


def test_negative_prices_are_said(warehouse_path: Path) -> None:
    figures = figures_of(warehouse_path, Message(NOON), Message(NOON, price="-0.02"))
    assert said_of(figures)["Cost"][1].endswith("1 message with a negative price is in the cost: EUR -0.02.")


def test_statuses_are_of_the_last_sync_that_ended_and_asked_for_them(warehouse_path: Path) -> None:
    write_warehouse(warehouse_path, [Message(NOON)])
    with duckdb.connect(str(warehouse_path)) as connection:
        for finished_at, stopped_reason, purpose in (
            (at("2026-02-03 08:00"), "done", "forward"),
            (at("2026-02-04 08:00"), "done", "backfill"),
            (at("2026-02-05 08:00"), "ProviderError", "forward"),
        ):
            connection.execute(
                "insert into ops.sync_run by name select uuid() as run_id, ? as started_at, "
                "started_at as finished_at, ? as stopped_reason, '1' as version, ? as purpose",
                [finished_at, stopped_reason, purpose],
            )
        figures = read_figures(connection, first_of_month("2026-01"), now=LONG_AFTER.replace(tzinfo=UTC))
    head = dict(wording.basis(figures, wording.Stamp(AFTERWARDS, "", "")))
    assert head["Statuses as of"] == "3 February 2026, 09:00"


def test_statuses_are_as_of_the_last_poll_where_no_sync_is_on_record(warehouse_path: Path) -> None:
    figures = figures_of(warehouse_path, Message(NOON))
    assert figures.basis.asked_at == AFTERWARDS


@pytest.mark.parametrize("is_sandbox", [None, False])
def test_an_account_that_is_real_is_named_and_nothing_is_noticed(
    warehouse_path: Path, is_sandbox: bool | None
) -> None:
    figures = figures_of(warehouse_path, Message(NOON), is_sandbox=is_sandbox)
    assert wording.account(figures.basis) == "4711 at api.lox24.eu"
    assert wording.notices(figures) == []
    assert wording.title(figures) == "SMS report January 2026"


def test_a_sandbox_is_said_to_be_one_wherever_the_report_is_named(warehouse_path: Path) -> None:
    figures = figures_of(warehouse_path, Message(NOON), is_sandbox=True)
    assert wording.account(figures.basis) == "4711 at api.lox24.eu (SANDBOX)"
    assert [notice.name for notice in wording.notices(figures)] == ["SANDBOX"]
    assert wording.title(figures) == "SANDBOX: SMS report January 2026"


def test_a_forced_publication_is_noticed_with_its_checks_and_its_reason(warehouse_path: Path) -> None:
    forced = Published("board meeting", ("marts.cost_monthly.money_reconciles", "a.b.c"))
    (notice,) = wording.notices(figures_of(warehouse_path, Message(NOON), publications=[forced]))
    assert notice == (
        "Published by force",
        "These figures were published although checks had failed: "
        "marts.cost_monthly.money_reconciles; a.b.c. Reason given: board meeting.",
    )


def test_rows_left_out_say_what_is_known_of_them() -> None:
    accepted = LeftOut(True, True, "price", "never sent", "EUR", 3, 1, 1, 1, Decimal("0.21000000000000002"))
    assert wording.left_out_price(accepted) == "EUR 0.21000000000000002"
    assert wording.left_out_remarks(accepted) == (
        "Accepted: never sent. 1 without a readable price. 1 in the figures as they were before. "
        "1 without a readable time, by the month they were quarantined in."
    )
    assert wording.left_out_price(LeftOut(True, False, "x", None, "EUR", 2, 2)) == "–"
    assert wording.left_out_price(LeftOut(False, False, "x", None, "EUR", 2)) == "–"
    assert wording.left_out_remarks(LeftOut(True, False, "x", None, "EUR", 2)) == ""


def test_days_are_named_in_runs_with_their_months() -> None:
    days = [date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 4)]
    assert wording.days_named(days) == "29–30 September 2026 and 1, 4 October 2026"
    with locales.written_in(locales.Locale.DE):
        assert wording.days_named(days) == "29.09.2026–01.10.2026, 04.10.2026"
    assert wording.days_named([]) == ""


def test_failed_is_defined_once_and_undelivered_is_another_word() -> None:
    meanings = dict(vocabulary.DEFINITIONS)
    assert meanings["Failed"] == "It was never handed to an operator."
    assert "failed" in meanings["Undelivered"]
    assert len(meanings) == len(vocabulary.DEFINITIONS)
