"""docs/first-steps.md, run from its first command to its last in a fresh clone with an empty home.

`SMS_ETL_TEST_FIRST_STEPS=write` puts what the commands answer into the page; read the difference before you
commit it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "first-steps.md"
HOME_SHOWN = "/home/ada"
MARK = "@@@ "
PORTS = ("8024", "3000")


@dataclass
class Step:
    """A command of the page, and what stands below it."""

    command: str
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What a command printed on stdout, and its exit code."""

    lines: list[str]
    code: int


def steps(page: str) -> list[Step]:
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line.removeprefix("$ ")))
            else:
                found[-1].shown.append(line)
    return found


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """An empty home with a fresh clone in it; its name is short, for lines break at 80 columns."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as folder:
        clone = Path(folder) / "sms_etl"
        subprocess.run(["/usr/bin/env", "git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
        for changed in subprocess.check_output(
            ["/usr/bin/env", "git", "ls-files", "--modified", "--others", "--exclude-standard"],
            cwd=CHECKOUT,
            text=True,
        ).splitlines():
            if (CHECKOUT / changed).is_file():  # as it is here, committed or not
                (clone / changed).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(CHECKOUT / changed, clone / changed)
        (clone / ".venv").mkdir()
        (clone / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        for made in (".uv", ".runtime"):  # what takes `make demo` a minute: .ci/run does it
            (clone / ".venv" / made).touch()
        yield Path(folder)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


@pytest.fixture(scope="module")
def answers(home: Path) -> list[Answer]:
    """What each command of the page answers, all of them given to one shell."""
    clone = home / "sms_etl"
    lines = [f"{step.command}\nprintf '\\n{MARK}%d\\n' $?" for step in steps(PAGE.read_text())]
    script = "\n".join(lines)
    ports = {shown: free_port() for shown in PORTS}
    for shown, used in ports.items():
        script = script.replace(shown, used)
    done = subprocess.run(
        ["/bin/bash"],
        input=script,
        cwd=clone,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "COLUMNS": "80",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(clone),  # of the environment that stands in for the clone's own
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    parts = re.split(rf"\n{MARK}(\d+)\n", done.stdout)
    found = [
        Answer(as_shown(text, home, ports).rstrip().splitlines(), int(code))
        for text, code in zip(parts[::2], parts[1::2], strict=False)
    ]
    print(done.stderr)  # noqa: T201 - pytest shows it of a test that fails
    if os.environ.get("SMS_ETL_TEST_FIRST_STEPS") == "write":
        write(found)
    return found


def as_shown(text: str, home: Path, ports: dict[str, str]) -> str:
    for shown, used in ports.items():
        text = text.replace(f":{used}", f":{shown}")
    return text.replace(str(home), HOME_SHOWN)


def write(found: list[Answer]) -> None:
    """Put the answers into the page."""
    answers = iter(found)

    def filled(block: re.Match[str]) -> str:
        commands = [line for line in block[0].splitlines() if line.startswith("$ ")]
        lines = [line for command in commands for line in (command, *next(answers).lines)]
        return "\n".join(["```console", *(line.rstrip() for line in lines), "```"])

    page = re.sub(r"^```console\n.*?^```$", filled, PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    PAGE.write_text(page)


def stable(lines: list[str]) -> list[str]:
    """Return words in which numbers, times, rules and the width of a table do not count."""
    text = re.sub(r"[\u2500-\u257f]+", " ", "\n".join(lines))
    return re.sub(r"\d[\d,.:%]*", "#", text).split()


DEPENDS_ON_THE_DAY = re.compile(r"^ +(\w+ )*\w+( +[\d,.]+){3} *$|^warning |^The first rows of each")
"""Which countries come first, and whether a message of the account is an odd one."""


@pytest.mark.slow
def test_the_commands_of_the_first_steps_answer_as_the_page_shows(answers: list[Answer]) -> None:
    expected = steps(PAGE.read_text())
    assert [answer.code for answer in answers] == [0] * len(expected)
    for step, answer in zip(expected, answers, strict=True):
        shown, said = (
            [line for line in lines if not DEPENDS_ON_THE_DAY.match(line)]
            for lines in (step.shown, answer.lines)
        )
        assert stable(said) == stable(shown), step.command


@pytest.mark.slow
def test_the_page_runs_the_commands_the_demo_ends_with(answers: list[Answer]) -> None:
    commands = [step.command for step in steps(PAGE.read_text())]
    printed = [line for line in answers[0].lines if line.startswith("SMS_ETL_DATA_DIR=")]
    assert [line.split()[2] for line in printed] == ["status", "query", "report", "ui"]
    assert printed[:2] == commands[1:3]
    assert printed[2].rpartition(" ")[0] == commands[3].partition(' "$(')[0]


@pytest.mark.slow
def test_the_first_steps_write_nowhere_but_in_the_clone(answers: list[Answer], home: Path) -> None:
    assert answers
    assert [path.name for path in home.iterdir()] == ["sms_etl"]
