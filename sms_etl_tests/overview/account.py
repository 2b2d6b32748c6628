"""Accounts to draw an overview of: raw rows with hourly syncs, built by the models of the package."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from sms_etl.clock import fixed_clock
from sms_etl.models.project import Project, load_project
from sms_etl.models.runner import build
from sms_etl.warehouse.store import Warehouse

DELIVERED, EXPIRED, REJECTED, FAILED, OPEN = (100, 1), (100, 8), (100, 16), (5000, 0), (100, 4)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    """Return a moment as the warehouse stores it: UTC, without a time zone."""
    return datetime.fromisoformat(text)


NOW = at("2026-03-12 15:40")
"""A Thursday, 16:40 in Berlin."""
WRITTEN_AT = (NOW + 5 * MINUTE).replace(tzinfo=UTC)
FROM_THE_FIRST = at("1970-01-01")


@dataclass(frozen=True)
class Sms:
    """What a test says of a message; times are UTC."""

    created_at: datetime
    status: tuple[int, int] = DELIVERED
    settled_after: timedelta = 5 * MINUTE
    """When it was seen final, from when it was created."""
    price: str | None = "0.0745"
    iso2: str | None = "DE"
    service: str = "direct"
    sender: str | None = "Musterladen"
    currency: str = "EUR"
    scheduled_at: datetime | None = None


@dataclass(frozen=True)
class Run:
    """What a test says of a sync."""

    started_at: datetime
    stopped_reason: str = "done"
    bulks_error: str | None = None
    bulks_differing: int | None = None


@dataclass(frozen=True)
class Account:
    """What a test says of an account."""

    messages: Sequence[Sms] = ()
    now: datetime = NOW
    runs: Sequence[Run] = ()
    windows: Sequence[tuple[datetime, datetime]] | None = None
    """What was read; everything unless given."""
    asked_at: datetime | None = NOW
    is_sandbox: bool = False
    failed_tests: Sequence[tuple[str, str, str, int]] = ()
    """Model, test, severity and rows."""
    forced_reason: str | None = None
    quarantined: Sequence[tuple[str, str, datetime]] = ()
    """Kind, reason and since when."""
    closed: Sequence[date] = ()
    corrections: Sequence[tuple[date, str, str]] = ()
    """Closed month, currency and amount."""
    timezone: str = "Europe/Berlin"
    extra_sql: Sequence[str] = field(default=())


def hourly(since: datetime, until: datetime = NOW) -> list[Run]:
    """Return syncs at the full hour, as cron starts them."""
    first = since.replace(minute=0, second=0)
    return [Run(first + HOUR * number) for number in range(int((until - first) / HOUR) + 1)]


def write_account(path: Path, account: Account) -> Path:
    """Write a warehouse file whose models are built as of the account's present moment."""
    with Warehouse(f"duckdb:///{path}", fixed_clock(account.now.replace(tzinfo=UTC))).begin() as transaction:
        native = transaction.native
        transaction.use_threads(1)  # a fifth faster with so few rows
        _write_messages(native, account.messages)
        _write_reading(native, account)
        _write_troubles(native, account)
        native.execute(
            "insert into ops.build_context (as_of_at, timezone, settle_days, built_at, is_current) "
            "values (?, ?, 5, ?, true)",
            [account.now, account.timezone, account.now],
        )
        build(native, project())
        for sql in account.extra_sql:
            native.execute(sql)
    return path


@cache
def project() -> Project:
    return load_project()


def _write_messages(native: Any, messages: Sequence[Sms]) -> None:
    seen = [each.created_at for each in messages]
    final = [each.created_at + each.settled_after for each in messages]
    table = pa.table(
        {
            "uuid": [str(UUID(int=place + 1)) for place in range(len(messages))],
            "created_at": pa.array(seen, pa.timestamp("us")),
            "delivery_at": pa.array([each.scheduled_at for each in messages], pa.timestamp("us")),
            "status_code": pa.array([each.status[0] for each in messages], pa.int32()),
            "dlr_code": pa.array([each.status[1] for each in messages], pa.int32()),
            "is_unicode": pa.array([False for _ in messages], pa.bool_()),
            "iso2": pa.array([each.iso2 for each in messages], pa.string()),
            "parts_count": pa.array([1 for _ in messages], pa.int32()),
            "price": pa.array(
                [each.price and Decimal(each.price).quantize(Decimal("0.000001")) for each in messages],
                pa.decimal128(18, 6),
            ),
            "currency": pa.array([each.currency for each in messages], pa.string()),
            "service_code": pa.array([each.service for each in messages], pa.string()),
            "sender_id": pa.array([each.sender for each in messages], pa.string()),
            "first_seen_at": pa.array(seen, pa.timestamp("us")),
            "changed_at": pa.array(final, pa.timestamp("us")),
            "last_seen_at": pa.array(final, pa.timestamp("us")),
        }
    )
    native.register("sms_rows", table)
    native.execute(
        "insert into raw.sms by name select * replace (uuid::uuid as uuid) from sms_rows order by created_at"
    )
    native.execute(
        "insert into raw.sms_change by name "
        "select uuid::uuid as uuid, first_seen_at as observed_at, 'poll' as observed_by, 100 as status_code, "
        "4 as dlr_code, price, currency from sms_rows "
        "union all by name "
        "select uuid::uuid as uuid, changed_at as observed_at, 'settle' as observed_by, status_code, "
        "dlr_code, price, currency from sms_rows"
    )


def _write_reading(native: Any, account: Account) -> None:
    if account.asked_at is not None:
        newest = max((each.created_at for each in account.messages), default=account.asked_at)
        native.execute(
            "insert into ops.watermark values ('sms', ?, uuid(), ?, ?)",
            [newest, account.asked_at, account.asked_at],
        )
        for since_at, until_at in account.windows or [(FROM_THE_FIRST, account.asked_at)]:
            native.execute(
                "insert into ops.fetch_window by name select uuid() as window_id, uuid() as run_id, "
                "'sms' as stream, 'poll' as observed_by, ? as since_at, ? as until_at, 0 as rows, "
                "0 as rows_quarantined, 1 as pages, 1 as attempts, '' as landed, ? as fetched_at, "
                "fetched_at as loaded_at",
                [since_at, until_at, account.asked_at],
            )
    native.execute(
        "insert into ops.account by name select '4711' as account_id, 'EUR' as currency, "
        "'https://api.lox24.eu' as base_url, ? as first_seen_at, ? as is_sandbox",
        [account.now, account.is_sandbox],
    )
    native.register(
        "runs",
        pa.table(
            {
                "started_at": pa.array([each.started_at for each in account.runs], pa.timestamp("us")),
                "stopped_reason": pa.array([each.stopped_reason for each in account.runs], pa.string()),
                "bulks_error": pa.array([each.bulks_error for each in account.runs], pa.string()),
                "bulks_differing": pa.array([each.bulks_differing for each in account.runs], pa.int64()),
            }
        ),
    )
    native.execute(
        "insert into ops.sync_run by name "
        "select *, uuid() as run_id, started_at as finished_at, '0' as version from runs"
    )


def _write_troubles(native: Any, account: Account) -> None:
    tests = [("marts.fct_sms", "grain_unique", "error", 0), *account.failed_tests]
    for test in tests:
        native.execute("insert into ops.model_test values (?, ?, ?, ?, ?)", [account.now, *test])
    blocking = [f"{model}: {test}" for model, test, severity, found in tests if severity == "error" and found]
    native.execute(
        "insert into ops.publication values (?, 'marts', ?, ?, ?)",
        [account.now, bool(account.forced_reason), account.forced_reason, json.dumps(blocking)],
    )
    for kind, reason, since_at in account.quarantined:
        native.execute(
            "insert into ops.quarantine by name select uuid() as quarantine_id, uuid() as run_id, "
            "'sms' as stream, ? as quarantined_at, ? as reason, ? as kind",
            [since_at, reason, kind],
        )
    for month in account.closed:
        native.execute(
            "insert into finance.closed_period by name select ? as month, ? as closed_at, "
            "'Europe/Berlin' as timezone, repeat('0', 64) as digest, 1 as digest_version, '{}' as totals, "
            "'{}' as figures, repeat('0', 64) as figures_digest, false as is_forced, "
            "'[]' as overridden_reasons, '[]' as differences, '0' as version",
            [month, account.now],
        )
    for month, currency, amount in account.corrections:
        native.execute(
            "insert into finance.correction by name select ? as closed_month, ? as booked_month, "
            "uuid() as uuid, 'price' as kind, 0 as messages, ? as currency, ?::decimal(18, 6) as amount, "
            "'unassigned' as cost_centre, 'DE' as country_code, 'direct' as service_code, ? as detected_at",
            [month, account.now.date().replace(day=1), currency, amount, account.now],
        )


def calm_messages(days: int = 50, seed: int = 11) -> Iterator[Sms]:
    """Yield the messages of an account that goes well: busier on weekdays, in four countries."""
    dice = random.Random(seed)
    first = NOW.replace(hour=0, minute=0) - DAY * (days - 1)
    for number in range(days):
        day = first + DAY * number
        for _ in range(48 if day.weekday() < 5 else 16):
            created = day + timedelta(seconds=dice.randint(6 * 3600, 19 * 3600))
            status = dice.choices((DELIVERED, EXPIRED, REJECTED, FAILED), weights=(94, 3, 2, 1))[0]
            delay = dice.choices((5 * MINUTE, 50 * MINUTE, 4 * HOUR, 20 * HOUR), weights=(70, 20, 7, 3))[0]
            message = Sms(
                created,
                status,
                delay,
                iso2=dice.choices(("DE", "AT", "CH", "FR"), weights=(6, 2, 1, 1))[0],
                sender=dice.choice(("Musterladen", "Musterbank", "Paketdienst")),
            )
            if created + delay > NOW:
                message = replace(message, status=OPEN, settled_after=timedelta(0))
            if created <= NOW:
                yield message


def calm_account() -> Account:
    """Return an account where nothing needs attention."""
    messages = tuple(calm_messages())
    return Account(messages, runs=hourly(messages[0].created_at - DAY))


COUNTRIES = tuple(
    re.findall(
        "..",
        "DEATCHFRNLITESPLGBUSSEDKBECZPTIEHUROTRLUNOFIGRBGHRSISKEELVLTMTCYISUARSALMKBAMEMD",
    )
)
"""Forty of them."""


def troubled_account() -> Account:
    """Return an account where much goes wrong at once, in forty countries and two currencies."""
    dice = random.Random(7)
    calm = list(calm_messages(seed=12))
    yesterday = NOW.replace(hour=10, minute=0) - DAY
    messages = [
        replace(each, currency="CHF") if each.iso2 == "CH" else each
        for each in calm
        if not at("2026-03-01 11:00") <= each.created_at < at("2026-03-02 05:00")  # never read
    ]
    messages = [
        replace(each, settled_after=30 * HOUR) if _is_of_last_days(each) and dice.random() < 0.3 else each
        for each in messages
    ]
    messages += [Sms(NOW - DAY * 20 + HOUR * number, iso2=code) for number, code in enumerate(COUNTRIES)]
    messages += [
        Sms(yesterday + MINUTE * number, iso2="NG", price="0.31", sender="=2+3") for number in range(90)
    ]
    messages += [
        Sms(NOW - DAY * 3 + MINUTE * number, OPEN, timedelta(0), iso2="AT", service="economy")
        for number in range(40)
    ]
    messages += [
        Sms(yesterday + MINUTE * number, sender=sender, iso2=None, price=None)
        for sender in ("+4917612345678", "<b>Shop</b><script>alert(1)</script>", "+49*********78~1f0c93aa")
        for number in range(25)
    ]
    messages += [Sms(NOW - DAY * 9, price=None), Sms(NOW - MINUTE, scheduled_at=NOW + DAY, status=(1, 0))]
    runs = hourly(NOW - DAY * 49)
    return Account(
        sorted(messages, key=lambda each: each.created_at),
        runs=[
            *runs[:-1],
            replace(runs[-1], stopped_reason="Throttled", bulks_error="503", bulks_differing=2),
        ],
        windows=[(FROM_THE_FIRST, at("2026-03-01 10:59:59")), (at("2026-03-02 05:00"), NOW)],
        is_sandbox=True,
        failed_tests=[
            ("marts.cost_monthly", "money_reconciles", "error", 3),
            ("marts.dim_status", "unknown_codes", "warn", 1),
        ],
        forced_reason="known & harmless <i>",
        quarantined=[
            ("row", "price is not an amount", NOW - DAY * 2),
            ("row", "price is not an amount", NOW - DAY),
            ("file", "it is cut short", NOW - HOUR),
        ],
        closed=[date(2025, 12, 1)],
        corrections=[(date(2025, 12, 1), "EUR", "-1.25"), (date(2025, 12, 1), "CHF", "0.5")],
    )


def _is_of_last_days(each: Sms) -> bool:
    return NOW - DAY * 8 < each.created_at < NOW - DAY * 2 and each.status == DELIVERED
