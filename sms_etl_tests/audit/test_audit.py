"""What the audit of dependencies says of recorded answers of an index, in its own environment, `.audit/`."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PYTHON = ROOT / ".audit" / "bin" / "python"
RECORDED: dict[str, Any] = json.loads((HERE / "recorded.json").read_text())
"""Of two packages, as PyPI answered in November 2026, their descriptions cut short."""


def audited(tmp_path: Path, lock: str, answers: dict[str, Any]) -> tuple[int, str]:
    """Return the exit code and what was said."""
    if not PYTHON.exists():
        pytest.fail("pip-audit is missing: run `make audit-tool`.")
    (tmp_path / "lock").write_text(lock)
    (tmp_path / "answers").write_text(json.dumps(answers))
    ran = subprocess.run(
        [PYTHON, "-m", "sms_etl_tests.audit.rehearse", tmp_path / "answers", tmp_path / "lock"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


def of_version(package: str, version: str) -> dict[str, Any]:
    """Return an answer of an index that has one for each version."""
    return {f"/pypi/{package}/{version}/json": RECORDED[f"/pypi/{package}/json"]}


@pytest.mark.parametrize("answers", [RECORDED, of_version("pycrypto", "2.6.1")], ids=["newest", "version"])
def test_a_known_vulnerability_of_a_locked_version_fails_and_is_named(
    tmp_path: Path, answers: dict[str, Any]
) -> None:
    code, said = audited(tmp_path, "pycrypto==2.6.1 \\\n    --hash=sha256:00\n", answers)
    assert code == 1
    assert (
        "pycrypto 2.6.1: PYSEC-2017-94 = CVE-2013-7459 = GHSA-cq27-v7xp-c356, fixed in no version yet" in said
    )


def test_versions_without_one_pass(tmp_path: Path) -> None:
    code, said = audited(tmp_path, 'jinja2==3.1.6 ; python_version >= "3.11" \\\n', RECORDED)
    assert (code, said.splitlines()) == (
        0,
        ["Asked about 1 of 1 locked versions.", "No vulnerability is known of what was asked."],
    )


def test_an_answer_of_another_version_is_none_and_that_is_said(tmp_path: Path) -> None:
    code, said = audited(tmp_path, "jinja2==3.1.6\npycrypto==2.6\nunheard-of==1.0\n", RECORDED)
    assert code == 0
    assert "Asked about 1 of 3 locked versions." in said
    assert "NOT KNOWN of 2, which the index does not answer: pycrypto 2.6, unheard-of 1.0." in said


@pytest.mark.parametrize("broken", [None, 503])
def test_an_index_that_cannot_be_asked_fails_nothing_and_is_said(tmp_path: Path, broken: int | None) -> None:
    code, said = audited(tmp_path, "jinja2==3.1.6\nzlib==1\n", RECORDED | {"/pypi/zlib/1/json": broken})
    assert code == 0
    assert said.startswith("NOT DONE: after 1 of 2 locked versions, the index of advisories did not answer (")


def test_what_was_found_before_the_network_ended_fails_all_the_same(tmp_path: Path) -> None:
    code, said = audited(tmp_path, "pycrypto==2.6.1\nzlib==1\n", RECORDED | {"/pypi/zlib/1/json": None})
    assert code == 1
    assert "NOT DONE" in said


def test_a_withdrawn_advisory_is_none(tmp_path: Path) -> None:
    answer = RECORDED["/pypi/pycrypto/json"]
    withdrawn = [each | {"withdrawn": "2026-01-01T00:00:00Z"} for each in answer["vulnerabilities"]]
    answers = {"/pypi/pycrypto/json": answer | {"vulnerabilities": withdrawn}}
    assert audited(tmp_path, "pycrypto==2.6.1\n", answers)[0] == 0


def test_each_accepted_vulnerability_has_its_reason() -> None:
    accepted = tomllib.loads((HERE / "accepted.toml").read_text()).get("accepted", [])
    assert [each for each in accepted if not (each["id"] and each["package"] and each["reason"])] == []


def test_ci_audits_what_users_and_developers_install_and_the_tool_itself() -> None:
    rule = re.search(r"^audit: .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert rule is not None
    locks = re.findall(r"[\w./-]+\.lock", rule[1])
    assert [name for name in locks if not (ROOT / name).is_file()] == []
    assert {path.name for path in ROOT.glob("*.lock")} <= set(locks)
    assert "sms_etl_tests/audit/pip-audit.lock" in locks
    assert "make audit" in (ROOT / ".ci" / "run").read_text().splitlines()
