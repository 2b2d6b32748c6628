"""Holds which changes the mutation tool makes."""

import pytest

from sms_etl_tests.mutants.changes import changes_of
from sms_etl_tests.mutants.suites import PACKAGE, modules, suite_of


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", ["a <= b"]),
        ("a and b", ["a or b"]),
        ("a + b", ["a - b"]),
        ("pause = 10", ["pause = 11", "pause = 9"]),
        ("share = 0.5", ["share = 1.5", "share = 0.05"]),
        ("is_late = True", ["is_late = False"]),
        ("def f(): sync()", ["def f(): pass"]),
        ("def f():\n '''A docstring.'''\n return g", []),
    ],
)
def test_a_change_is_made_to_one_place(source: str, changed: list[str]) -> None:
    assert [change.after for change in changes_of(source)] == changed


def test_every_module_that_is_changed_has_tests() -> None:
    for module in modules():
        assert (PACKAGE / module).is_file()
        assert suite_of(module)
