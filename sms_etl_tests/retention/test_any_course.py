"""Holds, whatever course things take, that nothing is gone at the provider that was not proven and released.

Policies, holds, closed months, messages that change or vanish at the provider, kills and lost answers come
together at random; `fates.py`, and none of the code's SQL, says what may be gone. Each message has a state, a
hold and a fault of its own, so that a course is counted by its messages: docs/retention.md says how.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import cast
from uuid import UUID

import duckdb
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from sqlalchemy import Connection

from sms_etl.build import build_and_check
from sms_etl.clock import as_utc
from sms_etl.errors import PlanRefused, SmsEtlError
from sms_etl.providers.lox24 import client
from sms_etl.retention import applying
from sms_etl.retention.applying import apply_plan, verify_ledger
from sms_etl.retention.holds import Scope, add_hold
from sms_etl.retention.ledger import Ledger
from sms_etl.retention.plan import make_plan
from sms_etl.sandbox.control.switches import SandboxSwitches, switches_from
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.life.insertion import message_from
from sms_etl.sandbox.lox24.filters import Query
from sms_etl.sandbox.server import running_sandbox
from sms_etl.sandbox.storage.state import open_state
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.warehouse import store
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.retention.axe import Axe, Killed, watched
from sms_etl_tests.retention.fates import FILES, MESSAGES, AtProvider, Course, HoldGiven, course_of
from sms_etl_tests.retention.in_process import InProcess

COURSES = 25
PARTS = 8 if os.environ.get("SMS_ETL_TEST_COURSES") == "full" else 1
LEAST_KILLS = 7
"""In one part: fifty in all of them."""
_EVERY = Query((), (("created_at", False),), 1)
PAGE_SIZE = 50


class Attachment:
    """Keeps the file of a course attached to one DuckDB: to attach it takes most of a transaction."""

    def __init__(self, folder: Path) -> None:
        self._connection = store._Instance("duckdb:///", folder / "instance").connect()
        self._native = cast("duckdb.DuckDBPyConnection", self._connection.connection.driver_connection)
        self._native.execute("set threads = 1")  # of 64 rows each, others would only be waited for
        self._path: Path | None = None

    def connection_to(self, warehouse: Warehouse) -> AbstractContextManager[Connection]:
        """Return what `Warehouse._attached` does."""
        if self._path is None:
            self._path = warehouse.path
            self._native.execute(f"attach '{self._path}' as warehouse; use warehouse")
        assert self._path == warehouse.path
        return nullcontext(self._connection)

    def end(self) -> None:
        """Let go of the file."""
        self._connection.rollback()
        self._native.execute("use memory; detach warehouse")
        self._path = None


@dataclass
class Stage:
    """A data directory, and a provider in this process."""

    settings: Settings
    provider: InProcess

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse.of(self.settings)

    def there(self) -> set[str]:
        """Return the uuids of the messages that the provider has."""
        state = self.provider.state
        return {each.uuid for each in state.store.matching_messages(_EVERY, state.now(), state.switches)}

    def marked(self) -> set[str]:
        """Return the uuids of the messages that the warehouse says are gone."""
        with self.warehouse.begin() as transaction:
            rows = transaction.native.execute("select uuid from raw.sms where gone_at is not null").fetchall()
        return {str(uuid) for (uuid,) in rows}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Load and build an account whose messages every course makes its own, in several landed files."""
    folder = tmp_path_factory.mktemp("template") / "data"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SMS_ETL_") and "_TEST_" not in name]:
            patch.delenv(name)
        patch.setenv("SMS_ETL_ENV_FILE", os.devnull)
        with running_sandbox(account=AccountParameters(messages=0, days_after=0)) as provider:
            now = provider.now()
            course = course_of(Random(0), now)
            provider.insert(*(fate.at_provider(now) for fate in course.fates))
            settings_ = load_settings(
                data_dir=folder,
                now=now,
                lox24_token=provider.token,
                lox24_base_url=provider.url,
                pii_key="k" * 32,
            )
            run_sync(settings_)
            build_and_check(settings_, select=["+int_status"])  # what retention reads of the models
        _split_landed_file(settings_, {fate.uuid: fate.file for fate in course.fates})
        yield settings_


def _split_landed_file(settings_: Settings, file_of: dict[str, int]) -> None:
    [path] = (settings_.landing_dir / "sms").glob("*.parquet")
    table = pq.read_table(path)
    path.unlink()
    places = [file_of[uuid] for uuid in table["uuid"].to_pylist()]
    with Warehouse.of(settings_).begin() as transaction:
        for number in range(FILES):
            name = f"{number}.parquet"
            part = table.filter(pa.array([place == number for place in places]))
            pq.write_table(part, path.with_name(name))
            transaction.run(
                "insert into ops.fetch_window select * replace (uuid() as window_id, $name as landed) "
                "from ops.fetch_window where landed = $landed",
                {"name": name, "landed": path.name},
            )
        transaction.run("delete from ops.fetch_window where landed = $landed", {"landed": path.name})


def staged(template: Settings, folder: Path, course: Course) -> Stage:
    """Return a copy of the account in which each message is as the course has it."""
    folder.mkdir()
    (folder / "landing").symlink_to(template.landing_dir)
    shutil.copy(template.data_dir / "warehouse.duckdb", folder / "warehouse.duckdb")
    state = open_state(
        account=AccountParameters(messages=0, days_after=0), switches=SandboxSwitches(page_size=PAGE_SIZE)
    )
    now = state.now()
    state.store.put_messages(
        [message_from(fate.at_provider(course.now), state.store.next_number(), now) for fate in course.fates]
    )
    stage = Stage(template.model_copy(update={"data_dir": folder}), InProcess(state))
    fates = pa.Table.from_pylist([fate.stored(course.now) for fate in course.fates])
    with stage.warehouse.begin() as transaction:
        native = transaction.native
        assert transaction.row("select count(*) from raw.sms") == (MESSAGES,)  # all of the result is taken
        native.register("fates", fates)
        transaction.run(
            """
            update raw.sms set
                created_at = fates.created_at, gateway_sent_at = fates.gateway_sent_at,
                sender_id = fates.sender_id, key_id = fates.key_id, service_code = fates.service_code,
                status_code = 100, dlr_code = fates.dlr_code, price = fates.price,
                last_seen_at = last_seen_at + case when fates.is_landed then 0 else 1 end * interval 1 second
            from fates where raw.sms.uuid = cast(fates.uuid as uuid)
            """
        )
        native.unregister("fates")
        for month in course.closed:
            transaction.run(
                "insert into finance.closed_period select $1::date, $2, 'Europe/Berlin', '', 1, '[]', '{}', "
                "'', false, null, '[]', null, '[]', ''",
                [month, as_utc(course.now)],
            )
        transaction.run(
            "delete from ops.fetch_window where stream = 'sms' and not list_contains($loaded, landed)",
            {"loaded": [f"{number}.parquet" for number in course.loaded]},
        )
    stage.settings.retention_policy_path.write_text(course.policy, encoding="utf-8")
    return stage


def happen(stage: Stage, course: Course, *, is_after: bool) -> None:
    """Let happen, before the plan or after it, what the course has for that moment."""
    waiting = [fate.uuid for fate in course.fates if (fate.waits_after if is_after else fate.waits_before)]
    with stage.warehouse.begin() as transaction:
        for hold in course.after if is_after else course.before:
            ends_at = course.now - timedelta(hours=1) if hold.is_over else None
            add_hold(transaction, stage.settings, scope_of(hold, course.now), reason="any", ends_at=ends_at)
        transaction.run(
            "insert into ops.quarantine (quarantine_id, run_id, stream, quarantined_at, reason, uuid) "
            "select uuid(), uuid(), 'sms', now(), 'any', unnest(cast($1 as varchar[]))",
            [waiting],
        )
    store_, now = stage.provider.state.store, stage.provider.state.now()
    there = stage.there()
    events = {
        fate.uuid: (fate.after if is_after else fate.before) for fate in course.fates if fate.uuid in there
    }
    changed = [fate for fate in course.fates if events.get(fate.uuid) is AtProvider.CHANGED]
    store_.put_messages(
        [message_from(fate.changed(course.now), store_.next_number(), now) for fate in changed]
    )
    vanished = [each for each in store_.all_messages() if events.get(each.uuid) is AtProvider.VANISHED]
    store_.delete_messages(vanished, now)


def scope_of(hold: HoldGiven, now: datetime) -> Scope:
    """Return which messages a hold is of."""
    return Scope(
        uuid=None if hold.uuid is None else UUID(hold.uuid),
        sender_id=hold.sender,
        key_id=hold.key,
        since_at=None if hold.since is None else as_utc(now - hold.since),
        until_at=None if hold.until is None else as_utc(now - hold.until),
    )


def check_requests(stage: Stage, course: Course) -> None:
    """Hold every request that changes something to naming its messages, and no others."""
    every = {fate.uuid for fate in course.fates}
    for asked in stage.provider.asked:
        assert asked.method in {"GET", "POST"}
        if asked.method == "POST":
            assert asked.path == "/sms/ops/batch_delete"
            assert 1 <= len(asked.pairs) <= 50
            assert all(name == "uuid[]" and value in every for name, value in asked.pairs)


def run_course(stage: Stage, course: Course, axe: Axe, *, writes: str, batch: int) -> Counter[str]:
    """Take one course, hold it to what may be gone, and count."""
    happen(stage, course, is_after=False)
    plan = make_plan(stage.settings)
    assert plan.messages == len(course.planned())
    happen(stage, course, is_after=True)
    before = stage.there()
    switch(stage, writes)
    tally = Counter(messages=len(course.fates), courses=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(applying, "BATCH", batch)
        watched(patch, axe)
        try:
            apply_plan(stage.settings, plan.plan_id)
        except Killed:
            tally["kills"] += 1
        except SmsEtlError:
            tally["stopped"] += 1
    gone = before - stage.there()
    assert gone <= course.released()
    switch(stage, "answered")

    assert not verify_ledger(stage.settings).needs_attention
    ledger = Ledger(stage.warehouse, stage.settings.clock)
    assert {uuid for outcome in ledger.outcomes() for uuid in outcome.confirmed} == gone
    with suppress(PlanRefused):
        applied = apply_plan(stage.settings, plan.plan_id)
        gone = before - stage.there()
        assert gone == course.released()
        assert gone <= stage.marked() <= gone | course.vanished()
        assert applied.confirmed == len(gone)
        assert applied.confirmed + sum(applied.skipped.values()) == plan.messages
        tally["finished"] += 1
    tally["deleted"] += len(gone)
    check_requests(stage, course)
    return tally


def switch(stage: Stage, writes: str) -> None:
    """Let the provider answer what changes something, or not."""
    stage.provider.state.switches = switches_from({"page_size": PAGE_SIZE, "writes": writes})


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_ever_deleted_that_was_not_proven_and_released(
    template: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    places, tally = count(), Counter[str]()
    attachment = Attachment(tmp_path)

    def kept(warehouse: Warehouse) -> AbstractContextManager[Connection]:
        return attachment.connection_to(warehouse)

    monkeypatch.setattr(Warehouse, "_attached", kept)
    monkeypatch.setattr(store, "migrate", lambda *_: None)  # the template is of this version

    @seed(part)
    @settings(
        max_examples=COURSES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # a seed says nothing when it is shrunk
    )
    @given(
        fate=st.integers(0, 2**32),
        axe=st.builds(Axe, st.integers(1, 10), is_after=st.booleans()),
        writes=st.sampled_from(["answered", "answered", "answer_lost", "not_carried_out"]),
        batch=st.sampled_from([10, 25, 50]),
    )
    def any_course(fate: int, axe: Axe, writes: str, batch: int) -> None:
        course = course_of(Random(fate), template.clock())
        folder = tmp_path / str(next(places))
        stage = staged(template, folder, course)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "AiohttpTransport", stage.provider.transport)
            tally.update(run_course(stage, course, axe, writes=writes, batch=batch))
        attachment.end()
        shutil.rmtree(folder)

    any_course()
    assert tally["messages"] == COURSES * MESSAGES
    assert (tally["kills"] >= LEAST_KILLS, tally["deleted"] > COURSES) == (True, True), tally
