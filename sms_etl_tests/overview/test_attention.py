"""What needs attention, in which order, and the command that comes with it."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from sms_etl.overview.attention import findings
from sms_etl.overview.figures import ClosedMonth, Overview
from sms_etl.overview.ranges import Departure, Kind, Measure
from sms_etl.warehouse.later_build import LaterFailure
from sms_etl_tests.overview.account import NOW


def titles(overview: Overview) -> list[str]:
    return [each.title for each in findings(overview)]


def test_where_all_is_well_nothing_needs_attention(calm: Overview) -> None:
    assert titles(calm) == []


def test_what_makes_figures_wrong_comes_before_what_they_show(troubled: Overview) -> None:
    assert titles(troubled) == [
        "These figures failed a check and were published all the same",
        "The last sync ended with Throttled",
        "The last sync could not read bulks",
        "2 bulks with totals that differ from their messages",
        "2 rows and 1 landed file in quarantine",
        "1 gap in what was read",
        "1 check with a warning",
        "Fewer messages are delivered than a week before, at the same age",
        "2 countries and 4 senders left their range",
        "More messages than usual are stuck",
        "1 message in EUR without a price",
        "January 2026 is not closed",
    ]
    assert [each.is_alarm for each in findings(troubled)] == [True] + [False] * 11


def test_a_forced_copy_names_the_check_and_the_reason(troubled: Overview) -> None:
    assert findings(troubled)[0].text == (
        "marts.cost_monthly: money_reconciles (3 rows). Reason given: known & harmless <i>."
    )


def test_rows_that_failed_a_check_are_looked_at_before_it_is_built_again(troubled: Overview) -> None:
    def command(kept: int) -> str:
        failed = tuple(replace(each, kept_rows=kept) for each in troubled.checks.failed)
        return findings(replace(troubled, checks=replace(troubled.checks, failed=failed)))[0].command

    assert command(3) == 'sms-etl query --warehouse "select * from ops.failed_test_rows"'
    assert command(0) == "sms-etl build && sms-etl publish"


@pytest.mark.parametrize(
    ("hours", "said"),
    [(26, []), (27, ["Nothing was read for 1 d 3 h"]), (240, ["Nothing was read for 10 d"])],
)
def test_figures_are_stale_after_a_day_and_two_hours(calm: Overview, hours: int, said: list[str]) -> None:
    basis = replace(calm.basis, asked_at=NOW, written_at=NOW + timedelta(hours=hours))
    assert titles(replace(calm, basis=basis)) == said


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (None, "Failed: marts.cost_daily: money_reconciles (3 rows)."),
        ("cost_centres.csv:3: it is not UTF-8", "cost_centres.csv:3: it is not UTF-8."),
    ],
)
def test_a_later_build_that_failed_is_told_with_the_moment_the_figures_are_of(
    calm: Overview, error: str | None, why: str
) -> None:
    reasons = ("marts.cost_daily: money_reconciles (3 rows)",)
    later = LaterFailure(NOW + timedelta(hours=1), reasons, error, NOW)
    (found,) = findings(replace(calm, later=later))
    assert found.title == "A later build failed, on 12 March 2026, 17:40"
    assert found.text.startswith(why)
    assert "The figures below are still those of 12 March 2026, 16:40." in found.text
    assert found.is_alarm


def test_what_was_loaded_after_the_build_is_told(calm: Overview) -> None:
    asked = NOW + timedelta(minutes=1)
    assert titles(replace(calm, basis=replace(calm.basis, asked_at=asked))) == [
        "The figures are older than what was read"
    ]


def test_a_campaign_of_which_it_is_not_known_whether_it_was_sent_is_told(calm: Overview) -> None:
    (one,) = findings(replace(calm, unclear=("spring sale",)))
    assert one.title == "1 campaign of which it is not known whether it was sent"
    assert one.text.startswith("spring sale: LOX24's answer was lost.")
    assert one.command == "sms-etl bulks status --key 'spring sale'"
    (two,) = findings(replace(calm, unclear=("a", "b")))
    assert two.title == "2 campaigns of which it is not known whether they were sent"


def test_a_gap_is_read_by_the_command_that_comes_with_it(troubled: Overview) -> None:
    (found,) = [each for each in findings(troubled) if "gap" in each.title]
    assert found.command == "sms-etl sync --since 2026-03-01 --until 2026-03-02"
    assert "Sun 1 Mar, 12:00 to Mon 2 Mar, 06:00" in found.text


def test_what_a_provider_calls_a_country_gets_into_no_command(calm: Overview) -> None:
    def command(code: str) -> str:
        left = Departure(
            Kind.COUNTRY, code, code, Measure.MESSAGES, date(2026, 3, 11), *(calm.costs[0].total,) * 3
        )
        (found,) = findings(replace(calm, ranges=replace(calm.ranges, departures=(left,))))
        return found.command

    assert "country_code = 'NG' and" in command("NG")
    assert "rm -rf" not in command("\"$(rm -rf ~)'")


@pytest.mark.parametrize(
    ("today", "closed", "said"),
    [
        (date(2026, 3, 12), [date(2026, 1, 1)], ["February 2026 is not closed"]),
        (date(2026, 3, 10), [date(2026, 1, 1)], []),  # ten days to close it
        (date(2026, 3, 12), [date(2026, 2, 1)], []),
        (date(2026, 3, 12), [], []),  # who never closes a month is not reminded
    ],
)
def test_a_month_is_due_ten_days_after_its_end(
    calm: Overview, today: date, closed: list[date], said: list[str]
) -> None:
    months = tuple(ClosedMonth(month, NOW, False, 0, ()) for month in closed)
    as_of = NOW + (today - NOW.date())
    basis = replace(calm.basis, as_of_at=as_of, asked_at=as_of, written_at=as_of)
    months_used = [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
    unclosed = tuple(month for month in months_used if closed and month > closed[0])
    assert titles(replace(calm, basis=basis, closed=months, unclosed=unclosed)) == said


def test_a_month_without_messages_is_not_to_be_closed(calm: Overview) -> None:
    as_of = datetime(2026, 5, 12)
    basis = replace(calm.basis, as_of_at=as_of, asked_at=as_of, written_at=as_of)
    closed = (ClosedMonth(date(2026, 1, 1), NOW, False, 0, ()),)
    unclosed = (date(2026, 4, 1), date(2026, 5, 1))

    assert titles(replace(calm, basis=basis, closed=closed, unclosed=unclosed)) == [
        "April 2026 is not closed"
    ]
