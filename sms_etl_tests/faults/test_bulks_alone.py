"""Trouble with bulks alone stops no message: it is told, and the next healthy run makes it good."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import duckdb
import httpx
import pytest

from sms_etl.cli.status import read_status
from sms_etl.errors import Unauthorised
from sms_etl.pipeline import sync_build_publish
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import SyncResult, Task
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.proxy import Act, Asked, Exchange, Fault, Plan
from sms_etl_tests.faults.rehearsal import Patience, Rehearsal, environment
from sms_etl_tests.faults.repertoire import answers
from sms_etl_tests.provider_truth import ask, assert_bulks_equal, rows_of, warehouse_of


def is_of_bulks(asked: Asked) -> bool:
    return asked.path.startswith("/bulks")


def by_uuid(asked: Asked) -> bool:
    return asked.path == "/bulks" and "uuid[]" in asked.query


def small(rehearsal_of: RehearsalOf, what: str) -> Rehearsal:
    return rehearsal_of(what, messages=180, page_size=30)


def where(matches: Callable[[Asked], bool], act: Act) -> Plan:
    return lambda asked: Fault("of bulks", act) if matches(asked) else None


def send_bulk(rehearsal: Rehearsal) -> str:
    """Have the account send a bulk, which is open for some seconds; give its uuid."""
    order = {"sender_id": "Shop", "text": "Hello", "phones": ["+4915112340001", "+4915112340002"]}
    header = {"X-LOX24-AUTH-TOKEN": rehearsal.provider.token}
    sent = httpx.post(f"{rehearsal.provider.url}/bulks", json=order, headers=header, trust_env=False)
    uuid: str = sent.json()["uuid"]
    return uuid


def assert_bulks_right(rehearsal: Rehearsal) -> None:
    assert_bulks_equal(warehouse_of(rehearsal.settings()), rehearsal.provider.truth_bulks())


@pytest.mark.parametrize("status", [403, 404, 422, 503])
def test_an_error_of_bulks_alone_is_told_and_messages_are_settled_built_and_published(
    status: int, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = small(rehearsal_of, f"{status} to bulks alone")
    run_sync(rehearsal.settings())
    before = ask(rehearsal.settings(), "select * from ops.watermark where stream <> 'sms' order by stream")
    rehearsal.provider.advance(timedelta(days=1))
    rehearsal.proxy.begin(where(is_of_bulks, answers(status)))
    settings = rehearsal.settings()
    result = sync_build_publish(settings)
    rehearsal.assert_right(settings)
    assert result.needs_attention
    assert result.published is not None
    assert result.sync.rows_changed > 0
    assert (result.sync.stopped_reason, result.sync.bulks_differing) == ("done", None)
    said = f"LOX24 answered {status} to /bulks."
    assert result.as_json()["bulks_error"] == said
    assert ask(settings, "select bulks_error from ops.sync_run order by rowid desc limit 1") == [(said,)]
    shown = read_status(settings)
    assert shown.warnings[0] == f"bulks could not be read: {said}"
    assert shown.needs_attention
    watermarks = "select * from ops.watermark where stream <> 'sms' order by stream"
    assert ask(settings, watermarks) == before

    healthy = rehearsal.sync()
    assert isinstance(healthy, SyncResult)
    assert (healthy.bulks_error, healthy.bulks_differing) == (None, 0)
    assert_bulks_right(rehearsal)
    assert not any("could not be read" in text for text in read_status(settings).warnings)


def test_messages_settle_before_bulks_are_asked_for(rehearsal_of: RehearsalOf, patience: Patience) -> None:
    rehearsal = small(rehearsal_of, "bulks come last")
    rehearsal.sync()
    rehearsal.provider.advance(timedelta(days=1))
    rehearsal.proxy.begin()
    result = run_sync(rehearsal.settings(), Task(reconcile_days=3))
    assert result.settled_by_uuid + result.settled_by_window > 0
    paths = ["bulks" if is_of_bulks(asked) else "sms" for asked in rehearsal.proxy.asked_in_this_run()[1:]]
    assert paths == sorted(paths, reverse=True)


def test_where_only_the_time_of_change_is_refused_the_rest_of_the_bulks_is_read(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = small(rehearsal_of, "bulks without processed_at")

    def by_change(asked: Asked) -> bool:
        return asked.path == "/bulks" and "processed_at[gte]" in asked.query

    uuid = send_bulk(rehearsal)
    outcome = rehearsal.sync(where(by_change, answers(400)))
    assert isinstance(outcome, SyncResult)
    assert outcome.bulks_error == "LOX24 answered 400 to /bulks."
    assert_bulks_right(rehearsal)
    assert any(asked.query.get("uuid[]") == uuid for asked in rehearsal.proxy.asked_in_this_run())


def test_where_only_the_time_of_creation_is_refused_bulks_are_found_by_their_change(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = small(rehearsal_of, "bulks without created_at")

    def by_creation(asked: Asked) -> bool:
        return asked.path == "/bulks" and "created_at[gte]" in asked.query

    outcome = rehearsal.sync(where(by_creation, answers(400)))
    assert isinstance(outcome, SyncResult)
    assert outcome.bulks_error == "LOX24 answered 400 to /bulks."
    processed = {bulk["uuid"] for bulk in rehearsal.provider.truth_bulks() if bulk["processed_at"]}
    assert processed
    assert rows_of(warehouse_of(rehearsal.settings()), "raw.bulk").keys() == processed


def all_of(rehearsal: Rehearsal) -> Act:
    """Answer with every bulk there is, as a provider does that does not know the filter."""

    async def act(exchange: Exchange) -> bool:
        header = {"X-LOX24-AUTH-TOKEN": rehearsal.provider.token, "Accept": "application/ld+json"}
        url = f"{rehearsal.provider.url}/bulks?page={exchange.asked.query['page']}"
        answer = await asyncio.to_thread(httpx.get, url, headers=header, trust_env=False)
        return await exchange.send(200, answer.content)

    return act


@pytest.mark.parametrize("way", ["ignored", "422"])
def test_where_bulks_cannot_be_asked_for_by_uuid_each_is_asked_for_alone(
    way: str, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = small(rehearsal_of, f"uuid[] of bulks: {way}")
    send_bulk(rehearsal)
    send_bulk(rehearsal)
    act = all_of(rehearsal) if way == "ignored" else answers(int(way))
    outcome = rehearsal.sync(where(by_uuid, act))
    assert isinstance(outcome, SyncResult)
    assert outcome.bulks_error is None
    assert_bulks_right(rehearsal)
    asked = rehearsal.proxy.asked_in_this_run()
    assert len([one for one in asked if by_uuid(one)]) == 1  # that of the probe
    alone = [one.path for one in asked if one.path.startswith("/bulks/")]
    assert len(alone) == len(set(alone)) >= 2


def test_a_401_to_bulks_stops_everything_at_once(rehearsal_of: RehearsalOf, patience: Patience) -> None:
    rehearsal = small(rehearsal_of, "401 to bulks")
    outcome = rehearsal.sync(where(is_of_bulks, answers(401)))
    assert isinstance(outcome, Unauthorised)
    assert len(rehearsal.proxy.spoilt) == 1
    assert rehearsal.proxy.asked[-1] == rehearsal.proxy.spoilt[0]
    assert isinstance(rehearsal.sync(), SyncResult)


def test_bulks_in_quarantine_that_cannot_be_asked_for_stop_no_message(
    rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = small(rehearsal_of, "replay without bulks")
    settings = rehearsal.settings()
    now = int(rehearsal.provider.now().timestamp())
    [uuid] = rehearsal.provider.insert({"created_at": now, "extra": {"price": "?"}})
    run_sync(settings)
    bulk = "select '00000000-0000-4000-8000-000000000001' as uuid, 'bulks' as stream, uuid() as run_id"
    quarantined = f"{bulk}, uuid() as quarantine_id, now()::timestamp as quarantined_at, '?' as reason"
    with duckdb.connect(str(warehouse_of(settings))) as connection:
        connection.execute(f"insert into ops.quarantine by name {quarantined}")
    rehearsal.provider.delete(uuid)
    rehearsal.provider.insert({"created_at": now, "uuid": uuid})
    rehearsal.proxy.begin(where(is_of_bulks, answers(403)))
    result = run_sync(settings, Task(is_replaying_quarantine=True))
    assert (result.rows_new, result.bulks_error) == (1, "LOX24 answered 403 to /bulks.")


def test_the_command_exits_3_and_says_why(rehearsal_of: RehearsalOf) -> None:
    rehearsal = small(rehearsal_of, "403 to bulks, by the command")
    rehearsal.proxy.begin(where(is_of_bulks, answers(403)))
    done = subprocess.run(
        [sys.executable, "-m", "sms_etl", "sync", "--json"],
        env=environment(rehearsal.settings()),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3, done.stderr
    result = json.loads(done.stdout)
    assert (result["stopped_reason"], result["bulks_error"]) == ("done", "LOX24 answered 403 to /bulks.")
    assert result["published"]
