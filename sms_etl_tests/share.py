"""A share of the long suites: with `SMS_ETL_TEST_SHARE=4` a quarter of the cases of each test in them runs.

Which quarter depends on `SMS_ETL_TEST_TURN`, any text: CI gives the commit, so that all cases have their
turn. Tests without cases always run, and of each test at least one case does.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest

_LONG = ("faults", "switches", "attacks", "retention/test_any_course.py")
_TESTS = Path(__file__).parent


def chosen(cases: Sequence[str], share: int, turn: str) -> set[str]:
    """Return which cases of one test run: about one in `share`, never none."""
    ranked = sorted(cases, key=lambda case: crc32(f"{turn} {case}".encode()))
    return set(ranked[: -(-len(ranked) // share)])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has no turn."""
    share = int(os.environ.get("SMS_ETL_TEST_SHARE", "1"))
    if share <= 1:
        return
    cases: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if _is_long(item):
            cases[item.nodeid.partition("[")[0]].append(item.nodeid)
    turn = os.environ.get("SMS_ETL_TEST_TURN", "")
    running = {each for several in cases.values() for each in chosen(several, share, turn)}
    left_out = [item for item in items if _is_long(item) and item.nodeid not in running]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_long(item: pytest.Item) -> bool:
    path = item.path.relative_to(_TESTS) if item.path.is_relative_to(_TESTS) else item.path
    return path.as_posix().startswith(_LONG)
