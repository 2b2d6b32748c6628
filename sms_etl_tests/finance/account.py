"""Accounts to report on: rows of `raw.*`, built into marts by the models that ship with the package."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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

DELIVERED, EXPIRED, REJECTED, OPEN = (100, 1), (100, 8), (100, 16), (100, 4)
FAILED, CANCELLED = (5000, 0), (6000, 0)
SEEDS = Path(__file__).parent / "seeds"
COUNTRY_PRICES = {
    "DE": "0.0745",
    "AT": "0.0619",
    "CH": "0.0680",
    "FR": "0.0582",
    "NL": "0.0891",
    "IT": "0.0713",
    "ES": "0.0594",
    "PL": "0.0321",
    "GB": "0.0389",
    "US": "0.0091",
    "SE": "0.0627",
    "DK": "0.0366",
    "BE": "0.0842",
    "CZ": "0.0511",
    "PT": "0.0355",
    "IE": "0.0702",
    "HU": "0.0648",
    "RO": "0.0593",
    "TR": "0.0174",
    "LU": "0.0431",
}


def at(text: str) -> datetime:
    """Return a moment as the warehouse stores it: UTC, without a time zone."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class Message:
    """What a test says of a message; times are UTC."""

    created_at: datetime
    price: str | None = "0.0745"
    status: tuple[int, int] = DELIVERED
    parts: int | None = 1
    iso2: str | None = "DE"
    service: str = "direct"
    key_id: int | None = 1
    currency: str = "EUR"
    bulk_id: UUID | None = None
    voice_lang: str | None = None


@dataclass(frozen=True)
class Bulk:
    """What a test says of a bulk."""

    uuid: UUID
    created_at: datetime
    currency: str = "EUR"
    is_dryrun: bool = False


@dataclass(frozen=True)
class BadRow:
    """What a test says of a message that could not be loaded."""

    price: str | None = "0.0745"
    created_at: datetime | None = None
    accepted_reason: str | None = None
    reason: str = "created_at is missing"
    uuid: str | None = None
    stream: str = "sms"
    quarantined_at: datetime = datetime(2026, 1, 20)
    replayed_at: datetime | None = None


@dataclass(frozen=True)
class Published:
    """What a test says of a publication."""

    forced_reason: str | None
    failed_tests: tuple[str, ...] = ("marts.cost_monthly.money_reconciles",)


FROM_THE_FIRST = at("1970-01-01")
"""Since when a sync without SMS_ETL_START reads."""
AFTERWARDS = at("2026-02-10")
"""When all of January is long settled."""


def write_warehouse(
    path: Path,
    messages: Sequence[Message],
    *,
    bulks: Sequence[Bulk] = (),
    watermark_at: datetime = AFTERWARDS,
    settle_days: int = 5,
    timezone: str = "Europe/Berlin",
    windows: Sequence[tuple[datetime, datetime]] | None = None,
    is_sandbox: bool | None = None,
    bad_rows: Sequence[BadRow] = (),
    publications: Sequence[Published] = (),
) -> Path:
    """Write a warehouse file whose models are built as of its watermark; `windows`: what was read of it."""
    clock = fixed_clock(watermark_at.replace(tzinfo=UTC))
    with Warehouse(f"duckdb:///{path}", clock).begin() as transaction:
        native = transaction.native
        transaction.use_threads(1)  # a fifth faster with so few rows
        native.register("sms_rows", _sms_table(messages))
        native.execute(
            "insert into raw.sms by name "
            "select * replace (uuid::uuid as uuid, bulk_id::uuid as bulk_id) from sms_rows"
        )
        native.execute(
            "insert into raw.sms_change by name select uuid, first_seen_at as observed_at, "
            "'poll' as observed_by, status_code, dlr_code, is_sent, gateway_sent_at, price, currency "
            "from raw.sms"
        )
        for bulk in bulks:
            native.execute(
                "insert into raw.bulk by name "
                "select ? as uuid, ? as created_at, ? as currency, ? as is_dryrun, "
                "10 as status_code, 'direct' as service_code, 1 as key_id, created_at as first_seen_at, "
                "created_at as last_seen_at, created_at as changed_at",
                [bulk.uuid, bulk.created_at, bulk.currency, bulk.is_dryrun],
            )
        native.execute(
            "insert into ops.watermark (stream, watermark_at, run_id, updated_at) "
            "values ('sms', ?, uuid(), ?)",
            [watermark_at, watermark_at],
        )
        for since_at, until_at in windows or [(FROM_THE_FIRST, watermark_at)]:
            native.execute(
                "insert into ops.fetch_window by name select uuid() as window_id, uuid() as run_id, "
                "'sms' as stream, 'poll' as observed_by, ? as since_at, ? as until_at, 0 as rows, "
                "0 as rows_quarantined, 1 as pages, 1 as attempts, '' as landed, ? as fetched_at, "
                "fetched_at as loaded_at",
                [since_at, until_at, max(until_at, watermark_at)],
            )
        native.execute(
            "insert into ops.account by name select '4711' as account_id, 'EUR' as currency, "
            "'https://api.lox24.eu' as base_url, ? as first_seen_at, cast(? as boolean) as is_sandbox",
            [watermark_at, is_sandbox],
        )
        _write_what_went_wrong(native, bad_rows, publications, watermark_at)
        native.execute(
            "insert into ops.build_context (as_of_at, timezone, settle_days, built_at, is_current) "
            "values (?, ?, ?, ?, true)",
            [watermark_at, timezone, settle_days, watermark_at],
        )
        build(native, project())
    return path


def _write_what_went_wrong(
    native: Any, bad_rows: Sequence[BadRow], publications: Sequence[Published], now: datetime
) -> None:
    for bad in bad_rows:
        native.execute(
            "insert into ops.quarantine by name select uuid() as quarantine_id, uuid() as run_id, "
            "? as stream, ? as quarantined_at, ? as reason, ? as uuid, ? as price, 'EUR' as currency, "
            "? as replayed_at, ? as created_at, cast(? as timestamp) as accepted_at, ? as accepted_reason",
            [
                bad.stream,
                bad.quarantined_at,
                bad.reason,
                bad.uuid,
                bad.price,
                bad.replayed_at,
                bad.created_at,
                now if bad.accepted_reason else None,
                bad.accepted_reason,
            ],
        )
    for published in publications:
        is_forced = published.forced_reason is not None
        native.execute(
            "insert into ops.publication values (?, ?, ?, ?, ?)",
            [
                now,
                "marts",
                is_forced,
                published.forced_reason,
                json.dumps(published.failed_tests if is_forced else []),
            ],
        )


def busy_month() -> list[Message]:
    """Return two months of an account that sends more on weekdays, in twenty countries; always the same."""
    dice = random.Random(20260101)
    countries, start = list(COUNTRY_PRICES), at("2025-12-01")
    messages = []
    for day in range(62):
        morning = start + timedelta(days=day)
        for _ in range(dice.randint(12, 18) if morning.weekday() > 4 else dice.randint(50, 70)):
            country = dice.choices(countries, weights=[40 / (place + 1) for place in range(len(countries))])[
                0
            ]
            parts = dice.choices((1, 2, 3), weights=(80, 15, 5))[0]
            outcomes = (DELIVERED, EXPIRED, REJECTED, FAILED, CANCELLED, OPEN)
            status = dice.choices(outcomes, weights=(930, 20, 15, 15, 5, 15))[0]
            messages.append(
                Message(
                    created_at=morning + timedelta(seconds=dice.randint(6 * 3600, 20 * 3600)),
                    price=str(Decimal(COUNTRY_PRICES[country]) * parts),
                    status=status,
                    parts=parts,
                    iso2=country,
                    service=dice.choices(("direct", "economy", "pro"), weights=(6, 3, 1))[0],
                    key_id=dice.choice((1, 1, 1, 2, 2, 3, 9)),
                )
            )
    return [replace(each, price=None) if place % 400 == 0 else each for place, each in enumerate(messages)]


def busy_account(path: Path) -> Path:
    """Write the busy months, three bulks and a dry run among them, as of two days after January."""
    bulks = [Bulk(UUID(int=7000 + week), at("2026-01-08 09:30") + timedelta(weeks=week)) for week in range(3)]
    sent_on = {bulk.created_at.date(): bulk.uuid for bulk in bulks}
    messages = [
        replace(each, bulk_id=sent_on[day])
        if (day := each.created_at.date()) in sent_on and place % 4 == 0
        else each
        for place, each in enumerate(busy_month())
    ]
    rehearsal = Bulk(UUID(int=7100), at("2026-01-20"), is_dryrun=True)
    return write_warehouse(path, messages, bulks=[*bulks, rehearsal], watermark_at=at("2026-02-02 12:00"))


@cache
def project() -> Project:
    return load_project(seeds=SEEDS)


def _sms_table(messages: Sequence[Message]) -> pa.Table:
    created = [each.created_at for each in messages]
    return pa.table(
        {
            "uuid": [str(UUID(int=place + 1)) for place in range(len(messages))],
            "created_at": created,
            "status_code": [each.status[0] for each in messages],
            "dlr_code": [each.status[1] for each in messages],
            "is_unicode": [False for _ in messages],
            "iso2": pa.array([each.iso2 for each in messages], pa.string()),
            "parts_count": pa.array([each.parts for each in messages], pa.int32()),
            "price": pa.array(
                [each.price and Decimal(each.price).quantize(Decimal("0.000001")) for each in messages],
                pa.decimal128(18, 6),
            ),
            "currency": [each.currency for each in messages],
            "service_code": [each.service for each in messages],
            "key_id": pa.array([each.key_id for each in messages], pa.int64()),
            "bulk_id": pa.array([each.bulk_id and str(each.bulk_id) for each in messages], pa.string()),
            "voice_lang": pa.array([each.voice_lang for each in messages], pa.string()),
            "first_seen_at": created,
            "last_seen_at": created,
            "changed_at": created,
        }
    )
