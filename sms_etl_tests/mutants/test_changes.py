"""Holds which changes the mutation tool makes."""

import pytest

from sms_etl_tests.mutants.changes import changes_of
from sms_etl_tests.mutants.suites import PROJECT, modules, suite_of


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", ["a <= b"]),
        ("a and b", ["a or b"]),
        ("a + b", ["a - b"]),
        ("pause = 10", ["pause = 11", "pause = 9"]),
        ("share = 0.5", ["share = 1.5", "share = 0.05"]),
        ("is_late = True", ["is_late = False"]),
        ("def f(): sync()", ["pass"]),
        ("def f():\n '''A docstring.'''\n return g", []),
    ],
)
def test_a_change_is_made_to_one_place(source: str, changed: list[str]) -> None:
    assert [change.after for change in changes_of(source)] == changed


@pytest.mark.parametrize(
    "source",
    ["pause: int | None = None", "def f(pause: A | B) -> A | B: return g", "@frozen(slots=True)\nclass A: b"],
)
def test_what_mypy_holds_is_not_changed(source: str) -> None:
    assert changes_of(source) == []


def test_a_change_tells_the_outermost_function_it_is_made_in() -> None:
    source = "one = 1\nclass A:\n two = 2\n def f(self, three=3):\n  h()\n  def g(): return 4\n  return g"

    told = {(change.before, change.function) for change in changes_of(source)}

    assert told == {
        ("one = 1", None),
        ("two = 2", None),
        ("def f(self, three=3):", None),
        ("h()", "A.f"),
        ("return 4", "A.f"),
    }


def test_a_change_in_a_function_concerns_all_its_lines() -> None:
    (change,) = changes_of("\ndef f():\n a = b\n c < d\n return e")[:1]

    assert (change.line, change.lines) == (4, range(2, 6))


def test_a_long_line_is_told_around_its_change() -> None:
    (change,) = changes_of(f"{'a' * 100}({'b' * 100} < {'c' * 100})")

    assert change.name == f"...{'b' * 48} < {'c' * 49}... -> ...{'b' * 48} <= {'c' * 49}..."


def test_the_changes_are_made_one_at_a_time() -> None:
    found: dict[str, int] = {}
    for change in changes_of("one = 1\ntwo = 2"):
        exec(change.code("changed.py"), found)  # noqa: S102 - the two lines above
        assert sorted([found["one"] == 1, found["two"] == 2]) == [False, True]


def test_every_module_that_is_changed_has_tests() -> None:
    for module in modules():
        assert (PROJECT / module).is_file()
        assert suite_of(module)


def test_what_no_test_can_reach_is_not_changed() -> None:
    source = "def f():\n g()\n raise AssertionError  # pragma: no cover - mypy cannot know it"

    assert [change.before for change in changes_of(source)] == ["g()"]
