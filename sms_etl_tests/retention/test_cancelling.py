"""Holds that only messages that are not sent yet are cancelled, each looked for, all of it in the ledger."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from sms_etl.clock import to_unix
from sms_etl.errors import DeletionStopped, LedgerBroken, WrongAccount
from sms_etl.retention import applying, cancelling
from sms_etl.retention.cancelling import Canceller, cancel_messages, look_at
from sms_etl.retention.ledger import Event
from sms_etl.retention.receipt import write_receipt
from sms_etl_tests.retention.axe import Killed
from sms_etl_tests.retention.office import NUMBER, Office, uuids_of


@pytest.fixture
def scheduled(office: Office) -> list[UUID]:
    """Three messages that are to be sent tomorrow."""
    now = office.provider.now()
    tomorrow = to_unix(now + timedelta(days=1))
    steps = [
        {"at": to_unix(now), "status_code": 0, "dlr_code": 0, "is_sent": False},
        {"at": tomorrow, "status_code": 100, "dlr_code": 1, "is_sent": True},
    ]
    given = {"created_at": to_unix(now), "delivery_at": tomorrow, "phone": NUMBER, "steps": steps}
    return [UUID(uuid) for uuid in office.provider.insert(*(dict(given) for _ in range(3)))]


def status_of(office: Office, uuids: list[UUID]) -> list[int]:
    codes = {row["uuid"]: row["status_code"] for row in office.provider.truth_sms()}
    return [codes[str(uuid)] for uuid in uuids]


def others(office: Office) -> list[UUID]:
    """One that is sent, and one that is nowhere."""
    return [UUID(uuids_of("login")[0]), uuid4()]


def test_what_waits_is_cancelled_and_what_is_sent_stays_sent(office: Office, scheduled: list[UUID]) -> None:
    before = office.at_provider()
    wanted = [*scheduled[:2], *others(office)]
    found = look_at(office.settings, wanted)
    assert found.as_json() == {"waiting": 2, "others": {"sent": 1, "not_there": 1}}
    assert office.ledger.rows() == []
    result = cancel_messages(office.settings, wanted)
    assert (result.cancelled, result.others) == (2, {"sent": 1, "not_there": 1})
    assert result.needs_attention
    assert status_of(office, scheduled) == [6000, 6000, 0]
    assert office.at_provider() == before
    rows = office.ledger.rows(plan_id=result.plan_id)
    asked = [str(uuid) for uuid in scheduled[:2]]
    assert [(row.action, row.event, list(row.what), row.answer_count) for row in rows] == [
        ("cancel", Event.INTENDED, asked, None),
        ("cancel", Event.DONE, asked, 2),
        ("cancel", Event.CONFIRMED, asked, None),
    ]
    assert office.ledger.verify().is_whole
    page = write_receipt(office.settings, plan_id=result.plan_id).path.read_text(encoding="utf-8")
    assert "stopped before they were sent" in page
    assert "deleted for good" not in page


def test_a_command_that_is_repeated_asks_for_nothing(office: Office, scheduled: list[UUID]) -> None:
    cancel_messages(office.settings, scheduled)
    office.provider.forget_requests()
    again = cancel_messages(office.settings, scheduled)
    assert (again.cancelled, again.others, again.needs_attention) == (0, {"cancelled": 3}, False)
    assert {request["method"] for request in office.provider.requests()} == {"GET"}


def test_a_lost_answer_is_looked_up(office: Office, scheduled: list[UUID]) -> None:
    office.provider.set_switches(writes="answer_lost")
    assert cancel_messages(office.settings, scheduled).cancelled == 3
    assert [row.event for row in office.ledger.rows()] == [Event.INTENDED, Event.CONFIRMED]


def test_what_the_provider_did_not_cancel_is_told(office: Office, scheduled: list[UUID]) -> None:
    office.provider.set_switches(writes="not_carried_out")
    result = cancel_messages(office.settings, scheduled)
    assert (result.cancelled, result.others, result.needs_attention) == (0, {"waiting": 3}, True)
    assert office.ledger.unfinished() == []
    office.provider.set_switches(writes="answered")
    assert cancel_messages(office.settings, scheduled).cancelled == 3


def test_a_provider_that_cancels_more_than_it_was_asked_to_stops_it(
    office: Office, scheduled: list[UUID]
) -> None:
    office.provider.set_switches(batch_uuid_filter="ignored")
    with pytest.raises(DeletionStopped, match="cancelled 3 messages of 1"):
        cancel_messages(office.settings, scheduled[:1])


def test_what_was_interrupted_is_completed_by_whoever_comes_next(
    office: Office, scheduled: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Canceller._ask

    async def killed(self: Canceller, *words: object) -> None:
        await ask(self, *words)  # type: ignore[arg-type]  # passed on as they come
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Canceller, "_ask", killed)
        with pytest.raises(Killed):
            cancel_messages(office.settings, scheduled)
    assert len(office.ledger.unfinished()) == 1
    verified = applying.verify_ledger(office.settings)
    assert (verified.settled, verified.unfinished) == (1, 0)
    assert office.ledger.outcomes()[0].confirmed == tuple(str(uuid) for uuid in scheduled)


def test_more_than_a_batch_goes_in_several(
    office: Office, scheduled: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelling, "BATCH", 2)
    assert cancel_messages(office.settings, [*scheduled, scheduled[0]]).cancelled == 3


def test_nothing_is_cancelled_at_another_account_or_beside_a_broken_ledger(
    office: Office, scheduled: list[UUID]
) -> None:
    office.run("update ops.account set account_id = '1'")
    with pytest.raises(WrongAccount):
        cancel_messages(office.settings, scheduled)
    office.run("update ops.account set account_id = '4711'")
    cancel_messages(office.settings, scheduled[:1])
    office.run("update ops.deletion set rule = 'x'")
    with pytest.raises(LedgerBroken):
        cancel_messages(office.settings, scheduled)
    assert status_of(office, scheduled) == [6000, 0, 0]
