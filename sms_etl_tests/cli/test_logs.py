"""What `-v` logs, and what it never does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sms_etl_tests.cli.running import Run


def log_in(folder: Path, *words: str) -> list[str]:
    """What a command logs of messages at each level, ours and those of the library that knows addresses."""
    code = (
        "import logging, sys\n"
        "from sms_etl.cli import commands as cli\n"
        "def say(*_):\n"
        "    for name in ('sms_etl.sync', 'httpx'):\n"
        "        log = logging.getLogger(name)\n"
        "        log.warning('a warning'), log.info('an info'), log.debug('a detail')\n"
        "    raise SystemExit(0)\n"
        "cli.read_settings = say\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=60,
    )
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("status",), ["WARNING sms_etl.sync: a warning"]),
        (("-v", "status"), ["WARNING sms_etl.sync: a warning", "INFO    sms_etl.sync: an info"]),
        (("status", "-v"), ["WARNING sms_etl.sync: a warning", "INFO    sms_etl.sync: an info"]),
        (
            ("-v", "status", "-v"),
            [
                "WARNING sms_etl.sync: a warning",
                "INFO    sms_etl.sync: an info",
                "DEBUG   sms_etl.sync: a detail",
            ],
        ),
        (
            ("status", "-vvv"),
            [
                "WARNING sms_etl.sync: a warning",
                "INFO    sms_etl.sync: an info",
                "DEBUG   sms_etl.sync: a detail",
            ],
        ),
    ],
)
def test_v_logs_what_we_do_and_never_what_libraries_know(
    tmp_path: Path, words: tuple[str, ...], lines: list[str]
) -> None:
    said = log_in(tmp_path, *words)
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line) for line in said)
    assert [line[24:] for line in said] == [*lines, "WARNING httpx: a warning"]


@pytest.mark.parametrize("words", [("quarantine", "list"), ("pii", "apply")])
def test_commands_below_a_command_take_v_too(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words, "-v")
    assert result.exit_code == 1
    assert "Run `sms-etl sync` first" in result.stderr
