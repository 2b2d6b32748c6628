"""Each promise of the threat model names the test that holds it, and that test is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "sms_etl_tests"
PAGE = ROOT / "docs" / "threat-model.md"
_NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
_UNHELD = "not yet"
STILL_UNHELD = 0
"""Promises that no test holds yet; make it fewer with each that gets one, and remove it at none."""


def promises() -> dict[str, str]:
    """Return each promise, with what is said to hold it."""
    rows = [
        line.strip("|").split("|")
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line[:1] == "|"
    ]
    return {
        promise.strip(): held.strip()
        for promise, held in rows
        if promise.strip() not in {"promise", "---"} and set(promise) != {"-"}
    }


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_promise_names_a_test() -> None:
    without = [promise for promise, held in promises().items() if not _NAMED.search(held)]
    assert [promise for promise in without if promises()[promise] != _UNHELD] == []
    assert len(without) == STILL_UNHELD, without


def test_each_test_named_in_the_threat_model_exists() -> None:
    named = [match for held in promises().values() for match in _NAMED.findall(held)]
    assert len(named) > 20
    for path, name in named:
        assert (TESTS / path).is_file(), path
        assert not name or name in functions_of(TESTS / path), f"{path}::{name}"


def test_the_pages_on_security_lead_to_each_other_and_are_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(SECURITY.md)" in readme
    assert "(docs/threat-model.md)" in readme
    assert "(docs/threat-model.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "(../SECURITY.md)" in PAGE.read_text(encoding="utf-8")
