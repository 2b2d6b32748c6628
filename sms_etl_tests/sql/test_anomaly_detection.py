"""How much planted abuse is found, and how often clean accounts are suspected: measured on invented accounts.

Twenty accounts of half a year are clean, twenty others hold one abuse of each shape of the sandbox and two by
bulk. The figures stand in docs/anomalies.md; `SMS_ETL_TEST_ANOMALIES=write` writes them there.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from sms_etl.models.runner import build
from sms_etl.models.selection import selected
from sms_etl_tests.sql.invented_accounts import MONTHS, Account, Case
from sms_etl_tests.sql.warehouse_rows import empty_warehouse, package_project

ACCOUNTS = 20
PAGE = Path(__file__).parents[2] / "docs" / "anomalies.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->"


@dataclass(frozen=True)
class Told:
    """A row of `marts.traffic_anomalies`."""

    currency: str
    business_day: date
    kind: str
    subject: str


@dataclass(frozen=True)
class Measured:
    """What was told of all accounts, and what was planted in those that are not clean."""

    clean: Sequence[Told]
    abused: Sequence[Told]
    cases: Sequence[Case]

    def finding(self, case: Case) -> list[Told]:
        """Return the rows that find a case, the earliest first: of its subjects, on its days."""
        of_days = (row for row in self.abused if row.currency == case.currency)
        found = [row for row in of_days if row.business_day in case.days and row.subject in case.subjects]
        return sorted(found, key=lambda row: row.business_day)

    def days_until_found(self, shape: str) -> list[int | None]:
        """Return of each case of a shape on which of its days it was told first; None: it was not."""
        of_shape = [(case, self.finding(case)) for case in self.cases if case.shape == shape]
        return [(rows[0].business_day - case.first_day).days + 1 if rows else None for case, rows in of_shape]

    @property
    def false_alarms_a_month(self) -> float:
        return len(self.clean) / (ACCOUNTS * MONTHS)

    @property
    def beside(self) -> list[Told]:
        """What was told of the accounts with abuse, on days without any."""
        abused = {(case.currency, day) for case in self.cases for day in case.days}
        return [row for row in self.abused if (row.currency, row.business_day) not in abused]


@pytest.fixture(scope="module")
def measured() -> Measured:
    with empty_warehouse() as rows:
        rows.window("1970-01-01", "2026-02-28")
        rows.context(as_of_at="2026-02-01")
        clean = [Account(seed, f"C{seed:02}") for seed in range(ACCOUNTS)]
        abused = [Account(1000 + seed, f"A{seed:02}") for seed in range(ACCOUNTS)]
        for account in (*clean, *abused):
            account.fill(rows)
        cases = [case for account in abused for case in (*account.plant(rows), *account.plant_bulks(rows))]
        project = package_project()
        build(rows.connection, project, select=selected(project, ["+marts.traffic_anomalies"]))
        columns = "currency, business_day, kind, subject"
        told = [
            Told(*row) for row in rows.select(f"select {columns} from marts.traffic_anomalies order by all")
        ]
    return Measured(
        [row for row in told if row.currency.startswith("C")],
        [row for row in told if row.currency.startswith("A")],
        cases,
    )


def test_nineteen_of_twenty_abuses_are_found(measured: Measured) -> None:
    assert len(measured.cases) >= 40
    found = sum(bool(measured.finding(case)) for case in measured.cases)
    assert 100 * found >= 95 * len(measured.cases)


def test_a_clean_account_is_suspected_at_most_once_a_month(measured: Measured) -> None:
    assert measured.false_alarms_a_month <= 1
    (_, most), *_ = Counter(row.currency for row in measured.clean).most_common(1) or [("", 0)]
    assert most <= MONTHS


def test_abuse_is_told_of_its_own_days_and_leaves_no_trail(measured: Measured) -> None:
    assert len(measured.beside) <= ACCOUNTS * MONTHS


def test_the_page_shows_what_was_measured(measured: Measured) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    shown, _, tail = rest.partition(END)
    if os.environ.get("SMS_ETL_TEST_ANOMALIES") == "write":
        PAGE.write_text(f"{head}{BEGIN}{table(measured)}{END}{tail}", encoding="utf-8")
        return
    assert shown == table(measured)


def table(measured: Measured) -> str:
    """Return the figures as the page shows them."""
    lines = [
        "| planted | cases | messages | found | first told on |",
        "|---|---|---|---|---|",
    ]
    for shape in sorted({case.shape for case in measured.cases}):
        sizes = [case.messages for case in measured.cases if case.shape == shape]
        days = measured.days_until_found(shape)
        told_on = Counter(day for day in days if day is not None)
        first = ", ".join(f"day {day}: {many}" for day, many in sorted(told_on.items()))
        lines.append(
            f"| `{shape}` | {len(days)} | {min(sizes)} to {max(sizes)} | {sum(told_on.values())} | {first} |"
        )
    kinds = ", ".join(
        f"{kind} {many}" for kind, many in sorted(Counter(r.kind for r in measured.clean).items())
    )
    (_, most), *_ = Counter(row.currency for row in measured.clean).most_common(1) or [("", 0)]
    lines += [
        "",
        "| accounts | months | rows that are no abuse | a month |",
        "|---|---|---|---|",
        f"| {ACCOUNTS} clean ones | {ACCOUNTS * MONTHS:.0f} | {len(measured.clean)} ({kinds}); "
        f"the worst account {most} | {measured.false_alarms_a_month:.2f} |",
        f"| {ACCOUNTS} with abuse, on other days | {ACCOUNTS * MONTHS:.0f} | {len(measured.beside)} "
        f"| {len(measured.beside) / (ACCOUNTS * MONTHS):.2f} |",
    ]
    return "".join(f"{line}\n" for line in lines)
