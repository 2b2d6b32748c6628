"""Holds what the mutation tool takes for noticed, on a module of three functions."""

import subprocess
import sys
from pathlib import Path

import pytest

from sms_etl_tests.mutants.suites import PROJECT

MODULE = """
LEAST = 3

def is_enough(number):
    return number >= LEAST

def halved(number):
    return number / 2

class Sum:
    def __init__(self):
        self.value = 0
    def add(self, number):
        self.value += number
"""
TESTS = """
from small.module import LEAST, Sum, halved, is_enough

def test_the_least_is_enough():
    assert LEAST == 3
    assert is_enough(3)

def test_half_of_nothing_is_nothing():
    assert halved(0) == 0

def test_a_sum_adds():
    sum = Sum()
    sum.add(2)
    assert sum.value == 2
"""
TRY = """
import sys, time
from pathlib import Path
from sms_etl_tests.mutants.changes import changes_of
from sms_etl_tests.mutants.trying import Module, try_changes
file = Path("small/module.py").resolve()
module = Module("small.module", file, tuple(changes_of(file.read_text())))
(tried,) = try_changes([module], ["test_module.py"], 60)
assert tried.anew == []
assert len(tried.noticed) > 5
print(*sorted(module.changes[number].name for number in tried.survived), sep="\\n")
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "module.py").write_text(MODULE)
    (tmp_path / "test_module.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def tried(small: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TRY],
        cwd=small,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{small}:{PROJECT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_no_test_tells_from_the_unchanged_module_survives(small: Path) -> None:
    told = tried(small)

    assert told.stdout.splitlines() == [
        "halved: return number / 2 -> return number * 2",
        "halved: return number / 2 -> return number / 1",
        "halved: return number / 2 -> return number / 3",
    ], told.stderr


def test_tests_that_fail_without_a_change_are_named(small: Path) -> None:
    (small / "test_module.py").write_text("def test_of_nothing():\n    assert False\n")

    told = tried(small)

    assert "SuiteFails: test_module.py::test_of_nothing" in told.stderr
