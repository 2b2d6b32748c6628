"""Listings that hide rows for a while: nothing that is there by itself is marked gone on a listing's word."""

from collections.abc import Set

import msgspec
import pytest

from sms_etl.clock import to_unix
from sms_etl.sync.engine import run_sync
from sms_etl.sync.fetch import MOST_ASKED_SINGLY
from sms_etl.sync.task import Task
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.proxy import Act, Asked, Exchange, Fault, Plan
from sms_etl_tests.faults.rehearsal import Rehearsal
from sms_etl_tests.provider_truth import ask

DAY = 86400
DAYS = Task(reconcile_days=3)


@pytest.fixture
def rehearsal(rehearsal_of: RehearsalOf) -> Rehearsal:
    return rehearsal_of("listings that hide rows", messages=0, page_size=100)


def messages(rehearsal: Rehearsal, count: int) -> list[str]:
    """Put messages of one day into the account, all final, and one of now; give the uuids of the others."""
    now = to_unix(rehearsal.provider.now())
    final = {"status_code": 100, "dlr_code": 1, "is_sent": True}
    *uuids, _ = rehearsal.provider.insert(
        *({**final, "created_at": now - DAY - 9000 + number} for number in range(count)),
        {**final, "created_at": now},
    )
    return uuids


def hides(hidden: Set[str]) -> Act:
    """Leave rows out of a listing, and out of its total."""

    async def act(exchange: Exchange) -> bool:
        _, body = await exchange.upstream()
        listing = msgspec.json.decode(body)
        rows = listing["hydra:member"]
        shown = [row for row in rows if row["uuid"] not in hidden]
        total = listing["hydra:totalItems"] - (len(rows) - len(shown))
        answer = {"hydra:member": shown, "hydra:totalItems": total}
        return await exchange.send(200, msgspec.json.encode(answer))

    return act


def in_listings(act: Act) -> Plan:
    def plan(asked: Asked) -> Fault | None:
        return Fault("a listing hides rows", act) if asked.path == "/sms" else None

    return plan


def test_a_listing_that_shows_nothing_of_what_is_there_marks_nothing_gone(rehearsal: Rehearsal) -> None:
    uuids = messages(rehearsal, MOST_ASKED_SINGLY + 20)
    run_sync(rehearsal.settings())
    rehearsal.proxy.begin(in_listings(hides(set(uuids))))
    result = run_sync(rehearsal.settings(), DAYS)
    assert (result.differences, result.rows_gone, result.rows_pruned) == (1, 0, 0)
    rehearsal.assert_right(rehearsal.settings())


def test_one_row_of_the_sample_that_is_there_has_each_asked_for(rehearsal: Rehearsal) -> None:
    uuids = messages(rehearsal, MOST_ASKED_SINGLY + 20)
    run_sync(rehearsal.settings())
    rehearsal.provider.delete(*uuids[:-1])
    rehearsal.proxy.begin(in_listings(hides({uuids[-1]})))
    assert run_sync(rehearsal.settings(), DAYS).rows_gone == len(uuids) - 1
    rehearsal.assert_right(rehearsal.settings())


def test_the_same_among_rows_that_are_listed(rehearsal: Rehearsal) -> None:
    uuids = messages(rehearsal, 2 * MOST_ASKED_SINGLY)
    run_sync(rehearsal.settings())
    rehearsal.provider.delete(*uuids[20:-1])
    rehearsal.proxy.begin(in_listings(hides({uuids[-1]})))
    result = run_sync(rehearsal.settings(), DAYS)
    assert (result.rows_gone, result.rows_pruned) == (len(uuids) - 21, 0)
    rehearsal.assert_right(rehearsal.settings())
    assert ask(rehearsal.settings(), "select count(*) from raw.sms where gone_at is null") == [(22,)]
