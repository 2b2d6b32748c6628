"""The bars of a terminal: there at once, a clock a step, a total where there is one; Ctrl-C in one line."""

import os
import pty
import re
import select
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from sms_etl.build import build_and_check
from sms_etl.cli import console, outcome, render
from sms_etl.cli.console import _Steps
from sms_etl.cli.status import read_status
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl_tests.conftest import SettingsAt


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bars(clock: Clock) -> Progress:
    return Progress(console=Console(quiet=True), auto_refresh=False, get_time=clock)


def took(bars: Progress) -> dict[str, float | None]:
    return {task.description: task.elapsed for task in bars.tasks}


def test_each_step_has_a_clock_of_its_own_that_stops_when_the_next_begins(
    bars: Progress, clock: Clock
) -> None:
    steps = _Steps(bars)
    for seconds, step, done, total in [
        (0, "making", 0, None),
        (2, "making", 5, 5),
        (6, "reading", 3, 9),  # the first that is heard of it: it began when `making` was last heard of
        (7, "reading", 6, 9),
        (8, "building", 0, None),  # begins now
        (9, "building", 1, 2),
    ]:
        clock.seconds = seconds
        steps.show(step, done, total)
    clock.seconds = 12
    steps.end()
    clock.seconds = 99
    assert took(bars) == {"making": 2, "reading": 6, "building": 4}


def test_nothing_is_printed_if_no_step_was_heard_of(bars: Progress) -> None:
    _Steps(bars).end()
    assert not bars.live.is_started


def test_models_are_counted_of_how_many_there_are(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    told: list[int] = []
    built = build_and_check(settings, on_model=told.append)
    assert told == [len(built.models.models)] * len(built.models.models)


def in_a_terminal(folder: Path, *words: str, until: Callable[[str], bool]) -> tuple[str, int]:
    """Run a command in a terminal of 80 columns, press Ctrl-C when its output is so.

    Returns:
        What it printed, and the exit code.
    """
    started = time.monotonic()
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(COLUMNS="80", TERM="xterm", SMS_ETL_DATA_DIR=str(folder))
        os.execv(sys.executable, [sys.executable, "-m", "sms_etl", *words])  # noqa: S606 - no shell is wanted
    said, pressed = "", False
    while time.monotonic() < started + 60:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                break
        if not pressed and until(said):
            pressed = bool(os.write(terminal, b"\x03"))
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", said), code


@pytest.mark.parametrize("step", ["starting", "1st sync: reading sms"])
def test_the_demo_shows_a_bar_at_once_and_stops_by_ctrl_c_in_one_line(tmp_path: Path, step: str) -> None:
    said, code = in_a_terminal(tmp_path, "demo", "--messages", "2000", until=lambda said: step in said)
    assert said.lstrip().startswith("starting")  # before anything is imported
    assert code == 1
    assert said.splitlines()[-1].endswith(
        "Stopped. The demo is unfinished. Run it again to start over. No account's data were touched."
    )
    assert "Traceback" not in said


HOSTILE = "\x1b]0;owned\x9b31m[red]\u202egnp.exe:smile:"
SHOWN = r"\x1b]0;owned\x9b31m[red]\u202egnp.exe:smile:"


@pytest.mark.parametrize("show", ["cell", "line", "log", "error"])
def test_no_text_commands_the_terminal_and_markup_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, show: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    if show == "cell":
        render._print_table(("[bold]country",), [(HOSTILE,)])
    elif show == "line":
        console.Console().print(f"[red]failed[/] {escape(HOSTILE)}")
    elif show == "log":
        console.Console().print(HOSTILE, markup=False)
    else:
        outcome.say_error(HOSTILE, HOSTILE)
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert SHOWN in said
    assert all(character.isprintable() or character == "\n" for character in said)
    assert show != "cell" or "[bold]country" in said


def test_what_a_status_quotes_of_the_provider_is_shown_as_it_is(
    provider: SandboxHandle, settings_at: SettingsAt, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    status = replace(read_status(settings), account_id=HOSTILE, warnings=(HOSTILE,), failed_tests=(HOSTILE,))
    capsys.readouterr()
    render.show_status(status)
    said = capsys.readouterr().out.replace("\n", "")
    assert said.count("[red]") == 3
    assert said.isprintable()
