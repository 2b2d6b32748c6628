"""An account in which several people got messages, synced once under each policy, and what is read."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from sms_etl.cli.demo import with_sandbox
from sms_etl.clock import to_unix
from sms_etl.erasure.subject import Subject, read_subject
from sms_etl.pii.key import find_key
from sms_etl.pii.state import pii_of
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.backup import back_up

OTHER = "+4915799880000"
CUSTOMER = "customer 4711 of many"


@dataclass(frozen=True)
class Person:
    """Somebody with three settled messages, the first of which was sent from the own number."""

    phone: str
    uuids: tuple[str, ...]

    @property
    def subject(self) -> Subject:
        return read_subject([self.phone], is_file=False)

    @property
    def text(self) -> str:
        return f"Dear {self.phone[-4:]} of Entenhausen – your parcel is here and waits for you, until Friday"


PHONES = tuple(f"+49157998877{place:02}" for place in range(16))


def settled(provider: SandboxHandle, **fields: Any) -> dict[str, Any]:
    """Return a message that was delivered three days ago."""
    old = to_unix(provider.now() - timedelta(days=3))
    return {
        "created_at": old,
        "status_code": 100,
        "dlr_code": 1,
        "is_sent": True,
        "gateway_sent_at": old + 5,
        **fields,
    }


def add_person(provider: SandboxHandle, phone: str) -> Person:
    person = Person(phone, ())
    own = {"phone": phone, "text": person.text, "callback_data": f"{CUSTOMER} {phone[-4:]}"}
    uuids = provider.insert(
        settled(provider, **own, sender_id=phone),
        settled(provider, **own),
        settled(provider, **own, ip="203.0.113.77"),
        settled(provider, phone=OTHER, text=f"Please call {phone} about it"),
        settled(provider, phone=f"{phone}0", text="a longer number"),
    )
    return Person(phone, tuple(uuids[:3]))


def settings_of(provider: SandboxHandle, data_dir: Path, **more: Any) -> Settings:
    return with_sandbox(load_settings(**({"data_dir": data_dir, "now": provider.now()} | more)), provider)


def contents(data_dir: Path) -> Iterator[tuple[str, str]]:
    """Return all there is to read: the bytes of each file, and what Parquet and DuckDB files hold."""
    for path in sorted(path for path in data_dir.rglob("*") if path.is_file()):
        name = str(path.relative_to(data_dir))
        yield name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            yield f"{name}, rows", json.dumps(pq.read_table(path).to_pylist(), default=str)
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.execute(
                    "select schema_name || '.' || table_name from duckdb_tables() where not internal"
                ).fetchall():
                    rows = connection.execute(f"from {table}").fetchall()
                    yield f"{name}, {table}", json.dumps(rows, default=str)


def places_of(settings: Settings, person: Person) -> set[str]:
    """Return where anything of a person is found: the number, its hash, the text, the customer."""
    pii = pii_of(settings, find_key(settings) or b"")
    customer = f"{CUSTOMER} {person.phone[-4:]}"
    wanted = [
        pii.hash_of(person.phone),
        pii.hash_of(person.phone)[:8],
        pii.hash_of(customer),
        customer,
        person.text.partition(" –")[0],
    ]
    longer = f"{person.phone[1:]}0"
    return {
        where
        for where, content in contents(settings.data_dir)
        if any(each in content for each in wanted) or person.phone[1:] in content.replace(longer, "")
    }


@pytest.fixture(scope="session")
def account() -> Iterator[tuple[SandboxHandle, dict[str, Person]]]:
    """An account; each test takes another person of it, since what is deleted there is gone for all."""
    with running_sandbox(account=AccountParameters(messages=40, days=6)) as provider:
        yield provider, {phone: add_person(provider, phone) for phone in PHONES}


Copy = Callable[..., Settings]


@pytest.fixture(scope="session")
def synced(
    account: tuple[SandboxHandle, dict[str, Person]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Data directories that were synced, published whole and backed up, by policy."""
    provider, _ = account
    made: dict[str, Path] = {}
    for policy in ("pseudonymise", "keep"):
        settings = settings_of(provider, tmp_path_factory.mktemp(policy) / "data", pii=policy, publish="all")
        sync_build_publish(settings)
        back_up(settings)
        made[policy] = settings.data_dir
    return made


@pytest.fixture
def copy(account: tuple[SandboxHandle, dict[str, Person]], synced: dict[str, Path], tmp_path: Path) -> Copy:
    """Returns settings of a copy of a data directory; keywords are settings."""

    def settings(policy: str = "pseudonymise", **more: Any) -> Settings:
        data_dir = tmp_path / "data"
        if not data_dir.exists():
            shutil.copytree(synced[policy], data_dir)
        return settings_of(account[0], data_dir, pii=policy, publish="all", **more)

    return settings


@pytest.fixture
def provider(account: tuple[SandboxHandle, dict[str, Person]]) -> SandboxHandle:
    handle, _ = account
    handle.forget_requests()
    return handle


@pytest.fixture
def person(account: tuple[SandboxHandle, dict[str, Person]], request: pytest.FixtureRequest) -> Person:
    """Return somebody whom no test before has erased."""
    used: set[str] = request.config.stash.setdefault(_USED, set())
    _, people = account
    free = next(phone for phone in PHONES if phone not in used)
    used.add(free)
    return people[free]


_USED = pytest.StashKey[set[str]]()
