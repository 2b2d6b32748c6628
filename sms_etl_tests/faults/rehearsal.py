"""Runs syncs through the proxy, in this process or as the command, and checks after each what must hold."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sms_etl.errors import ProviderError, SmsEtlError, SyncError
from sms_etl.providers.lox24.client import Lox24Client
from sms_etl.providers.retrying import RetryPolicy
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.sync import parts
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import SyncResult
from sms_etl_tests.faults import evidence
from sms_etl_tests.faults.proxy import FaultyProxy, Plan, nothing
from sms_etl_tests.faults.tally import Tally
from sms_etl_tests.provider_truth import assert_messages_equal

OVERLAP = timedelta(minutes=10)
WINDOW_ROWS = 60
"""Few, so that a small account has several windows."""
_TIMES_AS_FAST = 200
_NEEDS_ATTENTION = 3
"""Exit code of a sync that read all messages, but not the bulks."""
_SYNC = ("sync", "--no-build", "--json")
AS_IT_IS = (sys.executable, "-m", "sms_etl", *_SYNC)
LANDING_APART = (sys.executable, "-m", "sms_etl_tests.faults.apart", *_SYNC)
"""The same, landing in a process of its own however few the rows."""


@dataclass
class Rehearsal:
    """A provider, the proxy before it, and what was done with them."""

    provider: SandboxHandle
    proxy: FaultyProxy
    base: Settings
    tally: Tally
    program: tuple[str, ...] = AS_IT_IS
    """What `command` runs."""

    def settings(self) -> Settings:
        """Return the settings at the provider's moment."""
        return self.base.model_copy(update={"lox24_base_url": self.proxy.url, "now": self.provider.now()})

    def sync(
        self, plan: Plan = nothing, *, settings: Settings | None = None, is_still: bool = True
    ) -> SyncResult | SmsEtlError:
        """Run a sync in this process and check it.

        Args:
            plan: What goes wrong.
            settings: Other ones than the provider's moment gives.
            is_still: Whether the provider holds still, so that a run that ends well must equal it.
        """
        used = settings or self.settings()
        outcome: SyncResult | SmsEtlError
        with self._watched(used, plan):
            try:
                outcome = run_sync(used)
            except SmsEtlError as exc:
                outcome = exc
        if isinstance(outcome, SyncResult):
            assert outcome.stopped_reason == "done"
            if is_still:
                self.assert_right(used)
        else:
            self._assert_clear(outcome)
            self.assert_kept(used, is_still=is_still)
        return outcome

    def command(self, plan: Plan = nothing, *, is_still: bool = True) -> dict[str, Any] | str:
        """Run `sms-etl sync --no-build --json` and check it; gives its result, or what it says went wrong."""
        used = self.settings()
        with self._watched(used, plan):
            done = subprocess.run(  # noqa: PLW1510 - what its exit code may be is checked below
                self.program, env=environment(used), capture_output=True, text=True, timeout=120
            )
        assert used.lox24_token is not None
        assert used.lox24_token.get_secret_value() not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in {0, 1, _NEEDS_ATTENTION}, done.stderr
        if done.returncode != 1:
            result: dict[str, Any] = json.loads(done.stdout)
            assert (done.returncode == _NEEDS_ATTENTION) == (result["bulks_error"] is not None)
            if is_still:
                self.assert_right(used)
            return result
        assert done.stderr.strip(), "it failed and said nothing"
        self.assert_kept(used, is_still=is_still)
        return done.stderr

    @contextmanager
    def _watched(self, settings: Settings, plan: Plan) -> Iterator[None]:
        landed = evidence.landed_windows(settings)
        spoilt = len(self.proxy.spoilt)
        self.proxy.begin(plan)
        yield
        asked = self.proxy.asked_in_this_run()
        self.tally.syncs += 1
        self.tally.requests += len(asked)
        self.tally.faults += len(self.proxy.spoilt) - spoilt
        evidence.assert_nothing_landed_was_asked_again(asked, landed, int(settings.overlap.total_seconds()))

    def assert_right(self, settings: Settings, *, is_replayed: bool = True) -> None:
        """The warehouse equals the provider, and its change log and watermark fit."""
        truth = self.provider.truth_sms()
        evidence.assert_same_messages(settings, truth)
        assert_messages_equal(evidence.warehouse_of(settings), truth)
        evidence.assert_all_landed_is_loaded(settings)
        evidence.assert_watermark_is_covered(settings, truth)
        evidence.assert_change_log_is_whole(settings, is_replayed=is_replayed)
        self.tally.rows += len(truth)

    def assert_kept(self, settings: Settings, *, is_still: bool = True) -> None:
        """What was read before it went wrong is loaded, and fits together."""
        evidence.assert_all_landed_is_loaded(settings)
        evidence.assert_watermark_is_covered(settings, self.provider.truth_sms() if is_still else ())
        evidence.assert_change_log_is_whole(settings)

    def _assert_clear(self, error: SmsEtlError) -> None:
        assert isinstance(error, (ProviderError, SyncError)), repr(error)
        assert error.message
        assert error.hint, f"it does not say what to do: {error.message}"
        assert self.base.lox24_token is not None
        assert self.base.lox24_token.get_secret_value() not in str(error)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of somebody who has these settings."""
    assert settings.lox24_token is not None
    assert settings.now is not None
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SMS_ETL_")},
        "SMS_ETL_LOX24_TOKEN": settings.lox24_token.get_secret_value(),
        "SMS_ETL_LOX24_BASE_URL": settings.lox24_base_url,
        "SMS_ETL_DATA_DIR": str(settings.data_dir),
        "SMS_ETL_OVERLAP": f"{int(settings.overlap.total_seconds())}s",
        "SMS_ETL_NOW": settings.now.isoformat(),
        "SMS_ETL_WINDOW_ROWS": str(settings.window_rows),
        "SMS_ETL_CONCURRENCY": str(settings.concurrency),
        "SMS_ETL_ENV_FILE": os.devnull,
    }


@dataclass
class Patience:
    """How the client of this process waits: everything takes a fraction of its time, and is noted."""

    monkeypatch: pytest.MonkeyPatch
    waits: list[float]
    """Seconds it would have waited."""

    def set(self, *, attempts: int | None = None, timeout: float | None = None) -> None:
        """Set how often a request is tried, and how long it waits for an answer (seconds, real time)."""

        def client(*arguments: Any, **options: Any) -> Lox24Client:
            policy = RetryPolicy() if attempts is None else replace(RetryPolicy(), attempts=attempts)
            limits = options["limits"] if timeout is None else replace(options["limits"], timeout=timeout)
            return Lox24Client(
                *arguments, **{**options, "retry": policy, "sleep": self._sleep, "limits": limits}
            )

        self.monkeypatch.setattr(parts, "Lox24Client", client)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(seconds / _TIMES_AS_FAST)


def at(rehearsal: Rehearsal, moment: datetime) -> Settings:
    """Return the settings of a machine whose clock shows another moment."""
    return rehearsal.settings().model_copy(update={"now": moment})
