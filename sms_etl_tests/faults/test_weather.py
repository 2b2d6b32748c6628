"""What goes wrong outside HTTP: names, TLS, memory, and the clock of this machine."""

import asyncio
import json
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Any

import pytest
from aiohttp import TCPConnector

from sms_etl.errors import Unreachable
from sms_etl.providers import transport
from sms_etl.settings import Settings
from sms_etl.sync.task import SyncResult
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.counts import IS_FULL
from sms_etl_tests.faults.proxy import one_in_five
from sms_etl_tests.faults.rehearsal import Patience, at, environment
from sms_etl_tests.faults.repertoire import BY_NAME

PROC_STATUS = Path("/proc/self/status")
GIGABYTES = ("body of a gigabyte", "body of a gigabyte, compressed")[: 2 if IS_FULL else 1]
MOST_MEMORY_MIB = 400
"""Of a whole run; most of it is Python, DuckDB and Arrow."""


class _OneInFive:
    """Says for a fifth of its calls that now is the time."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.times = 0

    def is_due(self) -> bool:
        is_due = self._rng.random() < 0.2
        self.times += is_due
        return is_due


def test_when_a_fifth_of_name_look_ups_fails_the_run_ends_right_or_says_why(
    seed: int, rehearsal_of: RehearsalOf, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = rehearsal_of("DNS error", messages=90)
    rehearsal.proxy.keeps_connections = False  # so that each request looks the name up
    failing, look_up = _OneInFive(seed), socket.getaddrinfo

    def sometimes(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in {"localhost", b"localhost"} and failing.is_due():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(host, *arguments, **options)

    by_name = rehearsal.proxy.url.replace("127.0.0.1", "localhost")
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", sometimes)
        patched.setattr(transport, "TCPConnector", partial(TCPConnector, use_dns_cache=False))
        for attempts in (2, 6):
            patience.set(attempts=attempts)
            rehearsal.sync(settings=rehearsal.settings().model_copy(update={"lox24_base_url": by_name}))
    rehearsal.tally.faults += failing.times
    assert failing.times
    assert isinstance(rehearsal.sync(), SyncResult)


def test_when_a_fifth_of_tls_handshakes_fails_the_run_ends_right_or_says_why(
    seed: int, rehearsal_of: RehearsalOf, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = rehearsal_of("TLS error", messages=90)
    rehearsal.proxy.keeps_connections = False  # so that each request shakes hands
    failing = _OneInFive(seed)

    connect = asyncio.BaseEventLoop.create_connection

    async def sometimes(loop: Any, *arguments: Any, ssl: Any = None, **options: Any) -> Any:
        if ssl is None:
            return await connect(loop, *arguments, **options)
        if failing.is_due():
            options["sock"].close()  # as asyncio does
            raise SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired")
        # Plain: the proxy speaks no TLS, and what is tested is what comes of a failure.
        plain = {name: value for name, value in options.items() if name != "server_hostname"}
        return await connect(loop, *arguments, **plain)

    with monkeypatch.context() as patched:
        patched.setattr(asyncio.BaseEventLoop, "create_connection", sometimes)
        for attempts in (2, 6):
            patience.set(attempts=attempts)
            by_tls = rehearsal.proxy.url.replace("http://", "https://")
            rehearsal.sync(settings=rehearsal.settings().model_copy(update={"lox24_base_url": by_tls}))
    rehearsal.tally.faults += failing.times
    assert failing.times
    assert isinstance(rehearsal.sync(), SyncResult)


@pytest.mark.parametrize(
    "broken",
    [
        lambda url: url.replace("http://127.0.0.1", "http://no-such-host.invalid"),
        lambda url: url.replace("http://", "https://"),
        lambda url: "http://127.0.0.1:9",
    ],
    ids=["no such name", "TLS where there is none", "nobody listens"],
)
def test_an_address_that_cannot_work_is_an_error_that_names_it_and_nothing_is_lost(
    broken: Callable[[str], str], rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of("an address that cannot work", messages=60)
    patience.set(attempts=2)
    assert isinstance(rehearsal.sync(), SyncResult)
    rehearsal.provider.advance(timedelta(days=1))
    settings = rehearsal.settings()
    address = broken(settings.lox24_base_url)
    outcome = rehearsal.sync(settings=settings.model_copy(update={"lox24_base_url": address}))
    assert isinstance(outcome, Unreachable)
    assert address.split("://")[1].split(":")[0] in str(outcome)
    assert isinstance(rehearsal.sync(), SyncResult)


def test_under_a_clock_that_jumps_to_and_fro_within_a_run_nothing_is_lost(
    seed: int, rehearsal_of: RehearsalOf, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = rehearsal_of("clock that jumps within a run", messages=180)
    jumping = _OneInFive(seed)
    for days in (0, 1, 1):
        rehearsal.provider.advance(timedelta(days=days))
        true_now = rehearsal.provider.now()

        def clock(true_now: datetime = true_now) -> datetime:
            return true_now + (timedelta(hours=-3) if jumping.is_due() else timedelta())

        with monkeypatch.context() as patched:
            patched.setattr(Settings, "clock", property(lambda _: clock))
            rehearsal.sync(is_still=False)
    rehearsal.tally.faults += jumping.times
    assert jumping.times
    settings = rehearsal.settings()
    rehearsal.sync(settings=settings, is_still=False)
    rehearsal.assert_right(settings, is_replayed=False)


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(days=2)], ids=["back", "ahead"])
def test_after_a_run_under_a_wrong_clock_the_next_one_under_the_right_clock_makes_it_right(
    jump: timedelta, rehearsal_of: RehearsalOf, patience: Patience
) -> None:
    rehearsal = rehearsal_of("clock that was wrong for a run", messages=180)
    rehearsal.sync(settings=at(rehearsal, rehearsal.provider.now()), is_still=False)
    rehearsal.provider.advance(timedelta(hours=12))
    rehearsal.sync(settings=at(rehearsal, rehearsal.provider.now() + jump), is_still=False)
    rehearsal.tally.faults += 1
    rehearsal.provider.advance(timedelta(hours=12))
    settings = rehearsal.settings()
    rehearsal.sync(settings=settings, is_still=False)
    rehearsal.assert_right(settings, is_replayed=False)


@pytest.mark.skipif(not PROC_STATUS.exists(), reason="the peak of a process is read from Linux's /proc")
@pytest.mark.parametrize("name", GIGABYTES)
def test_bodies_of_a_gigabyte_do_not_fill_the_memory(name: str, rehearsal_of: RehearsalOf) -> None:
    rehearsal = rehearsal_of(f"{name}, memory measured", messages=90)
    rehearsal.proxy.begin(one_in_five(BY_NAME[name], 3))
    settings = rehearsal.settings()
    measured = (
        "import json, re\n"
        "from pathlib import Path\n"
        "from sms_etl.errors import ProviderError\n"
        "from sms_etl.settings import load_settings\n"
        "from sms_etl.sync.engine import run_sync\n"
        "try:\n    reason = run_sync(load_settings()).stopped_reason\n"
        "except ProviderError as exc:\n    reason = type(exc).__name__\n"
        # Not getrusage: its peak survives exec, and would be that of the tests.
        "peak = int(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1]) / 1024\n"
        "print(json.dumps([reason, peak]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    reason, peak = json.loads(done.stdout)
    rehearsal.tally.faults += len(rehearsal.proxy.spoilt)
    assert rehearsal.proxy.spoilt
    assert reason in {"done", "BadAnswer"}
    assert peak < MOST_MEMORY_MIB
    quiet = rehearsal.command()
    assert isinstance(quiet, dict)
    assert quiet["bulks_error"] is None
