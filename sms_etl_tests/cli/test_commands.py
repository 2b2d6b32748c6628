"""What every command has in common: help, version, usage, and a quick start."""

import subprocess
import sys

import pytest

from sms_etl import __version__
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "sync",
        "build",
        "publish",
        "report",
        "docs",
        "close",
        "status",
        "query",
        "quarantine",
        "doctor",
        "sandbox",
        "ui",
    ],
)
def test_every_command_has_a_help_with_an_example(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"sms-etl {command}" in result.stdout.partition("Example:")[2]


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = ["dagster", "pandas", "duckdb", "sqlglot", "altair", "httpx", "sqlalchemy", "pyarrow", "pydantic"]
    code = f"import sms_etl.cli.commands, sys; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def imported_by(*words: str) -> set[str]:
    """Run a command in a process of its own; return the packages it imported."""
    code = (
        f"import sys, sms_etl.cli.commands; sys.argv = {['sms-etl', *words]}\n"
        "try: sms_etl.cli.commands.main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {name for name in run.stderr.splitlines()[-1].split() if "." not in name}


def test_status_starts_without_the_libraries_that_only_a_sync_needs(synced: Run) -> None:
    assert imported_by("status", "--json").isdisjoint(
        {"sqlalchemy", "pandas", "numpy", "pyarrow", "sqlglot", "httpx"}
    )


def test_a_sync_imports_neither_pandas_nor_numpy(synced: Run, provider: SandboxHandle) -> None:
    assert {"pyarrow", "sqlalchemy"} <= imported_by("sync", "--no-build")
    assert imported_by("sync").isdisjoint({"pandas", "numpy"})


def test_the_version_is_shown(run: Run) -> None:
    assert __version__ in run("--version").stdout


@pytest.mark.parametrize(
    "words", [("sink",), ("sync", "--sinse", "2026-01-01"), ("report",), ("sync", "--since", "x")]
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2
