"""The abuse that the switch `fraud` plants: its shapes, when it comes, and that all else stays as it was."""

from collections import Counter
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from sms_etl.sandbox.control.switches import SandboxSwitches, switches_from
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.life.fraud import OPERATIONS, SHAPES, plant
from sms_etl.sandbox.life.lifecycle import Message
from sms_etl.sandbox.life.scenarios import DAY, HOUR
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sandbox.storage.state import SandboxState, open_state
from sms_etl_tests.sandbox.conftest import EMPTY_ACCOUNT, NOW

MIDNIGHT = NOW // DAY * DAY
ACCOUNT = AccountParameters(messages=200, days=20, days_after=1)


def planted(shape: str, seed: int = 1) -> list[Message]:
    return plant(shape, midnight=MIDNIGHT, next_number=count(1).__next__, seed=seed)


def messages_of(switches: SandboxSwitches, path: Path | None = None) -> list[Message]:
    state = open_state(path, account=ACCOUNT, switches=switches)
    found = [*state.store.all_messages()]
    state.close()
    return found


def test_the_switch_knows_every_shape() -> None:
    values = get_args(get_type_hints(SandboxSwitches)["fraud"])
    assert set(values) == {"none", *SHAPES}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_the_same_for_a_seed_and_another_for_another(shape: str) -> None:
    assert planted(shape) == planted(shape)
    assert planted(shape, seed=2) != planted(shape)


def test_a_pump_at_night_goes_to_adjacent_numbers_of_an_expensive_country() -> None:
    messages = planted("night_pump")
    assert 150 <= len(messages) <= 400
    assert len({message.phone[:-3] for message in messages}) == 1
    numbers = sorted(int(message.phone[-3:]) for message in messages)
    assert len(set(numbers)) == len(numbers)
    assert all(MIDNIGHT + HOUR <= message.created_at < MIDNIGHT + 4 * HOUR for message in messages)
    assert {Decimal(message.price) for message in messages} <= {Decimal("0.2875"), Decimal(0)}


def test_a_slow_pump_has_few_messages_on_each_of_its_days() -> None:
    messages = planted("slow_pump")
    days = Counter(message.created_at // DAY for message in messages)
    assert len(days) == SHAPES["slow_pump"].days == 10
    assert 12 <= min(days.values()) <= max(days.values()) <= 22
    assert len({message.phone[:-3] for message in messages}) == 1


def test_a_sender_that_jumps_sends_everywhere_by_day() -> None:
    messages = planted("sender_jump")
    assert {message.sender_id for message in messages} == {OPERATIONS.sender_id}
    assert len({message.iso2 for message in messages}) > 10
    assert all(MIDNIGHT + 8 * HOUR <= message.created_at < MIDNIGHT + 16 * HOUR for message in messages)


@pytest.mark.parametrize("shape", SHAPES)
def test_abuse_from_the_start_lies_in_the_days_before_and_changes_no_other_message(shape: str) -> None:
    without, abused = messages_of(SandboxSwitches()), messages_of(switches_from({"fraud": shape}))
    added = [message for message in abused if message not in without]
    assert [message for message in abused if message in without] == without
    assert len(added) == len(planted(shape))
    first = MIDNIGHT - SHAPES[shape].days * DAY
    assert all(first <= message.created_at < MIDNIGHT for message in added)
    assert len({message.number for message in abused}) == len(abused)


def test_abuse_that_is_switched_on_later_begins_at_the_next_midnight(sandbox: SandboxHandle) -> None:
    sandbox.set_switches(fraud="night_pump")
    assert sandbox.truth()["messages"] == 0
    sandbox.control("POST", "clock", {"now": MIDNIGHT + DAY + HOUR - 1})
    assert sandbox.truth()["messages"] == 0
    sandbox.control("POST", "clock", {"now": MIDNIGHT + DAY + 4 * HOUR})
    assert sandbox.truth()["messages"] == len(planted("night_pump"))


def test_other_switches_plant_nothing_and_switching_off_removes_nothing() -> None:
    state: SandboxState = open_state(account=EMPTY_ACCOUNT)
    state.set_switches(SandboxSwitches(fraud="night_pump"))
    many = len(state.store.all_messages())
    state.set_switches(SandboxSwitches(fraud="night_pump", page_size=7))
    state.set_switches(SandboxSwitches())
    assert len(state.store.all_messages()) == many > 0
    state.set_switches(SandboxSwitches(fraud="slow_pump"))
    assert len(state.store.all_messages()) == many + len(planted("slow_pump"))


def test_a_state_that_is_opened_again_is_not_abused_twice(tmp_path: Path) -> None:
    path, switches = tmp_path / "state.sqlite", SandboxSwitches(fraud="night_pump")
    assert messages_of(switches, path) == messages_of(switches, path)
