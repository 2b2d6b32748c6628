"""Collects tests with pytest, and runs them in an order of one's own."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import accumulate, zip_longest

import msgspec
import pytest

from sms_etl_tests.mutants.forked import BROKE_OFF, end_after

_PATIENCE = 4
_PATIENCE_SECONDS = 5
"""A test hangs, which is noticed, once it took four times as long as without a change and five seconds."""


MOST_SECONDS = 20
"""Of processor time for the tests of one change, as they took without it: what notices is mostly quick."""


class FirstRun(msgspec.Struct):
    """What the tests did without a change.

    Args:
        seconds: How long each took.
        work: The seconds of processor time that each took; a busy machine makes none of them longer.
        reach: The tests that run a function, by module and outermost function.
        failed: The test that failed.
    """

    seconds: dict[str, float]
    work: dict[str, float]
    reach: dict[str, list[str]]
    failed: str | None = None

    def reaching(self, function: str) -> list[str]:
        """Return the tests that run a function, the quickest first."""
        return self._quickest(set(self.reach.get(function, [])))

    def all(self, module: str) -> list[str]:
        """Return all tests: those first that run anything of a module."""
        reaching = {
            test for name, tests in self.reach.items() if name.startswith(f"{module}.") for test in tests
        }
        return [*self._quickest(reaching), *self._quickest(self.seconds.keys() - reaching)]

    def _quickest(self, tests: Set[str]) -> list[str]:
        """Return the quickest of tests that take `MOST_SECONDS` together, or the one that takes longer."""
        order = sorted(tests, key=lambda test: self.work[test])
        sums = accumulate(self.work[test] for test in order)
        return [test for test, sum_ in zip(order, sums, strict=True) if sum_ <= MOST_SECONDS] or order[:1]


class _Instead:
    """Does something else instead of running what pytest collected."""

    def __init__(self, work: Callable[[pytest.Session], int]) -> None:
        self._work = work
        self.code = BROKE_OFF

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        # Chance would notice a change one day and not the next, and kept examples are those of other changes.
        from hypothesis import settings  # noqa: PLC0415 - pytest must be the first to import its plugins

        settings.register_profile("the same each time", derandomize=True, database=None, deadline=None)
        settings.load_profile("the same each time")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed:
            return None  # not all could be collected: pytest says so
        self.code = self._work(session)
        return True


def with_collected(tests: Sequence[str], work: Callable[[pytest.Session], int]) -> int:
    """Collect files of tests, silently, and do something with them; return what that does."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    instead = _Instead(work)
    pytest.main(["-qx", "-p", "no:cacheprovider", *tests], plugins=[instead])
    return instead.code


def first_run(session: pytest.Session, called: set[str]) -> FirstRun:
    """Run all tests without a change; the module's functions note in a set that they are called."""
    run = FirstRun({}, {}, defaultdict(list))
    for item, following in zip_longest(session.items, session.items[1:]):
        called.clear()
        began, worked = time.monotonic(), time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        run.seconds[item.nodeid] = time.monotonic() - began
        run.work[item.nodeid] = time.process_time() - worked
        for function in called:
            run.reach[function].append(item.nodeid)
        if session.testsfailed:
            run.failed = item.nodeid
            break
    return run


def run_in_order(session: pytest.Session, tests: Sequence[str], seconds: Mapping[str, float]) -> int:
    """Run tests until one fails; return 1 then, or let the process end by a signal when one hangs.

    Args:
        tests: Their names; a changed module may have taken some of them away.
        seconds: How long each took without a change.
    """
    by_name = {item.nodeid: item for item in session.items}
    items = [by_name[test] for test in tests if test in by_name]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for item, following in zip_longest(items, items[1:]):
        end_after(seconds[item.nodeid] * _PATIENCE + _PATIENCE_SECONDS)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        except BaseException:  # noqa: BLE001 - it ends the whole of pytest: that is noticed
            return 1
        if session.testsfailed:
            return 1
    return 0
