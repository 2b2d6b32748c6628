"""The command itself, in a process of its own, meets what the other attacks show to a sync in this one."""

import json
import subprocess
import sys
from pathlib import Path

from sms_etl_tests.attacks.attack import DONE, NEEDS_ATTENTION, REFUSED, Attack, environment
from sms_etl_tests.attacks.form import IS_FULL
from sms_etl_tests.attacks.good_rows import bulks, later, messages
from sms_etl_tests.attacks.poisoned_rows import ROWS, Fate
from sms_etl_tests.attacks.stand_in import StandIn, running_stand_in
from sms_etl_tests.providers.lox24.server import Reply

FEW = 60
BAD = [case for case in ROWS if case.fate is Fate.BAD and not case.is_alone]
SOME = [case for case in BAD if case.path == "/sms"][:: 8 if IS_FULL else 30]


def run(provider: StandIn, data_dir: Path, *words: str, is_poisoned: bool) -> tuple[int, str, str]:
    """Run a command; return its exit code, what it printed, and what it said."""
    provider.begin(is_poisoned=is_poisoned)
    done = subprocess.run(
        [sys.executable, "-m", "sms_etl", *words],
        env=environment(provider, data_dir),
        cwd=data_dir.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_by_the_command_bad_rows_are_exit_3_until_they_are_replayed_and_a_refusal_is_exit_1(
    tmp_path: Path,
) -> None:
    planted = messages(FEW)
    for each, case in zip(planted[5:], SOME, strict=False):
        each.shown = case.poison(each.truth)
    data_dir = tmp_path / "data"
    with running_stand_in(planted, bulks(3)) as provider:
        code, printed, said = run(provider, data_dir, "sync", "--json", is_poisoned=True)
        assert code == NEEDS_ATTENTION, said
        assert json.loads(printed)["rows_quarantined"] == len(SOME)
        attack = Attack(provider, data_dir)
        attack.assert_loaded(each.truth for each in planted if each.shown is None)
        assert run(provider, data_dir, "status", is_poisoned=True)[0] == NEEDS_ATTENTION

        provider.replies = {"/me": Reply(403, b'{"title":"+4915199887766"}')}
        code, printed, said = run(provider, data_dir, "sync", "--json", is_poisoned=True)
        assert (code, printed) == (REFUSED, "")
        assert "Error: " in said
        assert "+4915199887766" not in said

        provider.messages += later(-30, planted, count=2)
        assert run(provider, data_dir, "sync", "--no-build", is_poisoned=False)[0] in {DONE, NEEDS_ATTENTION}
        code, _, said = run(provider, data_dir, "sync", "--replay-quarantine", "--json", is_poisoned=False)
        assert code == DONE, said
        attack.assert_equals_the_truth()
