"""An account with a few messages of each kind, loaded and built once; every test has a copy of it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from sms_etl.build import build_and_check
from sms_etl.clock import to_unix
from sms_etl.retention.applying import Applied, apply_plan
from sms_etl.retention.ledger import Ledger
from sms_etl.retention.plan import RetentionPlan, make_plan
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.warehouse.store import Transaction, Warehouse

BULK = "00000000-0000-4000-8000-0000000000b0"
DELIVERED = {"status_code": 100, "dlr_code": 1}
KINDS: Mapping[str, tuple[int, float, Mapping[str, Any]]] = {
    "login": (8, 100, {**DELIVERED, "sender_id": "LOGIN", "key_id": 1}),
    "news": (4, 95, {**DELIVERED, "sender_id": "NEWS", "key_id": 2, "service_code": "pro", "bulk_id": BULK}),
    "unpriced": (2, 90, {**DELIVERED, "extra": {"price": None}}),
    "recent": (5, 20, {**DELIVERED, "key_id": 1}),
    "open": (3, 2, {"status_code": 100, "dlr_code": 2}),
}
"""By kind: how many, how many days old, and what they are like."""
RULE = '[[rule]]\nname = "old"\ntarget = "provider"\nolder_than = "30d"\n'
FILES = '[[rule]]\nname = "files"\ntarget = "landing"\nolder_than = "30d"\n'
NUMBER = "+4917612345678"


def uuids_of(*kinds: str) -> list[str]:
    """Return the uuids of all messages of some kinds."""
    places = list(KINDS)
    return [
        str(UUID(int=(0xABCDEF << 104) + (places.index(kind) << 16) + number + 1))
        for kind in kinds
        for number in range(KINDS[kind][0])
    ]


def messages_at(now: datetime) -> list[dict[str, Any]]:
    """Return the messages of the account, for a sandbox that is at a moment."""
    return [
        {
            "uuid": uuid,
            "created_at": to_unix(now - timedelta(days=age)) + number,
            "gateway_sent_at": to_unix(now - timedelta(days=age)) + number + 5,
            "phone": NUMBER,
            "price": "0.0745",
            **fields,
        }
        for kind, (_, age, fields) in KINDS.items()
        for number, uuid in enumerate(uuids_of(kind))
    ]


@dataclass
class Office:
    """A data directory and a provider, and what a test asks of them."""

    settings: Settings
    provider: SandboxHandle

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse.of(self.settings)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.warehouse, self.settings.clock, "clerk")

    def policy(self, text: str) -> None:
        """Write the policy."""
        self.settings.retention_policy_path.write_text(text, encoding="utf-8")

    def plan(self, text: str | None = None) -> RetentionPlan:
        """Make a plan, by another policy if one is given."""
        if text is not None:
            self.policy(text)
        return make_plan(self.settings)

    def apply(self, plan: RetentionPlan) -> Applied:
        """Apply a plan."""
        return apply_plan(self.settings, plan.plan_id)

    def at(self, moment: datetime) -> "Office":
        """Return it at another moment."""
        return Office(self.settings.model_copy(update={"now": moment}), self.provider)

    def run(self, statement: str, parameters: object = None) -> None:
        """Run a statement on the warehouse."""
        with self.warehouse.begin() as transaction:
            transaction.run(statement, parameters)

    def ask(self, query: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.begin() as transaction:
            return transaction.native.execute(query, parameters).fetchall()

    def begin(self) -> Any:
        """Open a transaction."""
        return self.warehouse.begin()

    def at_provider(self) -> set[str]:
        """Return the uuids of the messages that the provider has."""
        return {row["uuid"] for row in self.provider.truth_sms()}

    def gone(self) -> set[str]:
        """Return the uuids of the messages that the warehouse says are deleted at the provider."""
        return {str(uuid) for (uuid,) in self.ask("select uuid from raw.sms where gone_at is not null")}

    def files(self) -> list[Path]:
        """Return the landed files of messages."""
        return sorted((self.settings.landing_dir / "sms").glob("*.parquet"))

    def close_month(self, created_at: datetime) -> None:
        """Let the warehouse say that a month is closed; what else is kept of it is made up."""
        with duckdb.connect(str(self.warehouse.path)) as connection:
            connection.execute(
                "insert into finance.closed_period select date_trunc('month', $1::timestamp), $1, "
                "'Europe/Berlin', '', 1, '[]', '{}', '', false, null, '[]', null, '[]', ''",
                [created_at.replace(tzinfo=None)],
            )


@contextmanager
def prepared(folder: Path) -> Iterator[Office]:
    """Serve the account, and load and build it once."""
    account = AccountParameters(messages=0, days_after=0)
    with running_sandbox(account=account, switches=SandboxSwitches(page_size=10)) as provider:
        provider.insert(*messages_at(provider.now()))
        settings = load_settings(
            data_dir=folder,
            now=provider.now(),
            lox24_token=provider.token,
            lox24_base_url=provider.url,
            pii_key="k" * 32,
        )
        run_sync(settings)
        build_and_check(settings, select=["+int_status"])  # what retention reads of the models
        yield Office(settings, provider)


def opened(office: Office, folder: Path) -> Office:
    """Return a copy of the office in another folder, with the provider as it was and its log empty."""
    shutil.copytree(office.settings.landing_dir, folder / "landing")
    shutil.copy(office.warehouse.path, folder / "warehouse.duckdb")
    provider = office.provider
    provider.set_switches(**_DEFAULTS)
    there = [row["uuid"] for row in provider.truth_sms()]
    if there:
        provider.delete(*there)
    provider.insert(*messages_at(provider.now()))
    provider.forget_requests()
    return Office(office.settings.model_copy(update={"data_dir": folder}), provider)


_DEFAULTS = {
    "page_size": 10,
    "writes": "answered",
    "batch_uuid_filter": "obeyed",
    "sms_uuid_filter": "obeyed",
    "is_activated": True,
    "visible_after_seconds": 0,
}


def states(transaction: Transaction) -> Sequence[tuple[Any, ...]]:
    """Return all of raw.sms but when it was seen, in order."""
    return transaction.native.execute(
        "select * exclude (last_seen_at, changed_at, gone_at) from raw.sms order by uuid"
    ).fetchall()
