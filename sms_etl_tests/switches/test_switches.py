"""The whole sync under every switch of the sandbox, one at a time and in pairs.

Each ends in the provider's truth, or in an error that names what is wrong; and once the provider is as
documented, the next sync is whole. `SMS_ETL_TEST_SWITCHES=full` runs every case; otherwise an even sample.
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sms_etl.cli.demo import with_sandbox
from sms_etl.clock import to_unix
from sms_etl.errors import AccountNotActive, ProviderDiffers, SmsEtlError, WindowUnstable
from sms_etl.sandbox.control.switches import SandboxSwitches, switches_from
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import SyncResult, Task
from sms_etl_tests.provider_truth import ask, assert_bulks_equal, assert_messages_equal, rows_of, warehouse_of
from sms_etl_tests.switches.cases import (
    DEFAULTS,
    STOPPING,
    Switches,
    differing,
    in_pairs,
    pairs_of,
    single,
)

IS_FULL = os.environ.get("SMS_ETL_TEST_SWITCHES") == "full"
_A_SAMPLE_TAKES_EVERY = 4
"""Each case takes two seconds of a processor; there are 130."""
ACCOUNT = AccountParameters(messages=60, days=3, days_after=4)
IN_ONE_SECOND = 40
"""Messages that a test puts into one second: several pages of it."""
KEPT = ("currency",)
"""Switches that stay when the provider is as documented again: an account does not change its currency."""
CHANGES_UNSEEN = {"late_price_every": "price"}
"""Fields that change after a message is final, by the switch that does so: only reading again shows it."""


@dataclass
class Rehearsal:
    """A sandbox and a data directory, over several syncs."""

    provider: SandboxHandle
    data_dir: Path
    switches: Switches

    @property
    def settings(self) -> Settings:
        settings = load_settings(data_dir=self.data_dir, now=self.provider.now(), overlap=timedelta(hours=1))
        return with_sandbox(settings, self.provider)

    def sync(self) -> SyncResult | SmsEtlError:
        """Sync; once more if the provider was met in a way that the facts of earlier runs rule out."""
        # What the provider prunes is found by reconciling alone.
        task = Task(reconcile_days=ACCOUNT.days + 5 if self.switches.get("keep_days") else None)
        try:
            try:
                return run_sync(self.settings, task)
            except ProviderDiffers:
                return run_sync(self.settings, task)
        except SmsEtlError as exc:
            return exc

    def recover(self) -> SyncResult:
        """Sync with a provider that is as documented."""
        self.provider.set_switches(**{name: DEFAULTS[name] for name in DEFAULTS if name not in KEPT})
        self.provider.advance(timedelta(hours=2))
        result = run_sync(self.settings)
        if self.has_quarantine():
            run_sync(self.settings, Task(is_replaying_quarantine=True))
        if self.needs_reading_again():
            start = self.provider.now() - timedelta(days=ACCOUNT.days + 10)
            run_sync(self.settings, Task(since=start, until=self.provider.now()))
        return result

    def needs_reading_again(self) -> bool:
        """Whether the provider changed what no sync can see: final prices, and rows that come back."""
        return bool(self.switches.keys() & {*CHANGES_UNSEEN, "keep_days"})

    def has_quarantine(self) -> bool:
        return warehouse_of(self.settings).exists() and ask(
            self.settings, "select count(*) from ops.quarantine where replayed_at is null"
        ) != [(0,)]

    def assert_right(self, outcome: SyncResult | SmsEtlError) -> None:
        """The warehouse equals the provider, or the error says why it cannot."""
        if isinstance(outcome, SmsEtlError):
            self._assert_refused(outcome)
            return
        assert outcome.stopped_reason == "done"
        if self.has_quarantine():
            assert "row_format" in self.switches
            return
        assert_messages_equal(
            warehouse_of(self.settings), self._shown(), str(self.provider.truth()["currency"])
        )
        if self.switches.get("are_bulks_forbidden"):
            assert outcome.bulks_error is not None
            assert "403" in outcome.bulks_error
        else:
            assert outcome.bulks_error is None
            assert_bulks_equal(warehouse_of(self.settings), self.provider.truth_bulks())

    def assert_equal(self, messages: Sequence[Mapping[str, Any]]) -> None:
        currency = str(self.provider.truth()["currency"])
        assert_messages_equal(warehouse_of(self.settings), messages, currency)

    def _assert_refused(self, error: SmsEtlError) -> None:
        stops = STOPPING & set(self.switches.items())
        if ("is_activated", False) in stops:
            assert isinstance(error, AccountNotActive)
        elif stops:
            assert "format" in str(error)
        else:
            assert self.switches.get("shuffle_ties"), error
            assert isinstance(error, WindowUnstable)
            assert "order changes from page to page" in str(error)
        assert error.hint

    def _shown(self) -> list[dict[str, Any]]:
        """Return the provider's messages as a sync can know them."""
        truth = self.provider.truth_sms()
        stored = rows_of(warehouse_of(self.settings), "raw.sms")
        for name in (name for switch, name in CHANGES_UNSEEN.items() if self.switches.get(switch)):
            for message in truth:
                message[name] = stored[message["uuid"]][name]
        return truth


@contextmanager
def rehearsing(tmp_path: Path, switches: Switches, *, from_the_start: bool) -> Iterator[Rehearsal]:
    with running_sandbox(account=ACCOUNT, switches=SandboxSwitches()) as provider:
        second = to_unix(provider.now()) - 5000
        numbers = (f"+49151{number * 7919:08d}" for number in range(IN_ONE_SECOND))
        provider.insert(*({"created_at": second, "phone": number, "status_code": 100} for number in numbers))
        kept = {name: value for name, value in switches.items() if name in KEPT}
        provider.set_switches(**(switches if from_the_start else kept))
        yield Rehearsal(provider, tmp_path / "data", switches)


def rehearse(tmp_path: Path, switches: Switches, *, from_the_start: bool = True) -> None:
    """Sync, let days pass, sync again; then let the provider be as documented, and sync once more."""
    with rehearsing(tmp_path, switches, from_the_start=from_the_start) as rehearsal:
        first = rehearsal.sync()
        if from_the_start:
            rehearsal.assert_right(first)
        else:
            assert isinstance(first, SyncResult)
            rehearsal.provider.set_switches(**switches)
        rehearsal.provider.advance(timedelta(days=2))
        rehearsal.assert_right(rehearsal.sync())
        result = rehearsal.recover()
        assert (result.stopped_reason, result.bulks_error) == ("done", None)
        assert not rehearsal.has_quarantine()
        rehearsal.assert_equal(rehearsal.provider.truth_sms())
        assert_bulks_equal(warehouse_of(rehearsal.settings), rehearsal.provider.truth_bulks())


def named(switches: Switches) -> str:
    return ", ".join(f"{name}={value}" for name, value in switches.items())


def some(cases: Sequence[Switches], first: int) -> Sequence[Switches]:
    """Return all cases, or an even sample of them."""
    return cases if IS_FULL else cases[first::_A_SAMPLE_TAKES_EVERY]


SINGLE: list[Switches] = [{name: value} for name, value in single()]
PAIRS: list[Switches] = [differing(row) for row in in_pairs()]


def test_every_switch_has_a_value_to_be_tried_with() -> None:
    assert {name for name, _ in single()} == {field.name for field in fields(SandboxSwitches)}
    for name, value in single():
        assert value != DEFAULTS[name]
        assert getattr(switches_from({name: value}), name) == value


def test_every_two_values_of_two_switches_occur_in_a_set() -> None:
    covered = set().union(*(pairs_of(row) for row in in_pairs()))
    for one, other in itertools.combinations([*single(), *DEFAULTS.items()], 2):
        if one[0] != other[0] and not {one, other} <= STOPPING:
            assert frozenset({one, other}) in covered


@pytest.mark.parametrize("switches", some(SINGLE, 0), ids=named)
def test_under_one_switch_a_sync_is_right_or_says_why_not_and_the_next_healthy_one_is_whole(
    switches: Switches, tmp_path: Path
) -> None:
    rehearse(tmp_path, switches)


@pytest.mark.parametrize("switches", some(SINGLE, 2), ids=named)
def test_a_switch_that_is_set_after_a_healthy_sync_loses_nothing(switches: Switches, tmp_path: Path) -> None:
    rehearse(tmp_path, switches, from_the_start=False)


@pytest.mark.parametrize("switches", some(PAIRS, 1), ids=lambda each: f"{len(each)} switches")
def test_under_many_switches_at_once_a_sync_is_right_or_says_why_not(
    switches: Switches, tmp_path: Path
) -> None:
    rehearse(tmp_path, switches)
