"""Commands are printed as they can be pasted where the program was called from."""

import shlex
import sys
from pathlib import Path

import pytest

from sms_etl.cli.invocation import from_here, pasteable


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in a virtual environment that is not on the PATH, called by its full name."""
    path = tmp_path / ".venv" / "bin" / "sms-etl"
    path.parent.mkdir(parents=True)
    path.touch(0o755)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(sys, "argv", [str(path)])
    return path


def test_a_program_below_the_present_folder_is_named_from_there(program: Path) -> None:
    assert pasteable("status") == ".venv/bin/sms-etl status"


def test_a_program_elsewhere_is_named_in_full(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert pasteable("status") == f"{str(program)[1:]} status"


def test_a_program_on_the_path_is_named_as_it_is(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"/usr/bin:{program.parent}")
    assert pasteable("status") == "sms-etl status"


def test_another_program_of_the_name_on_the_path_is_not_meant(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "sms-etl"
    other.parent.mkdir()
    other.touch(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert pasteable("status") == ".venv/bin/sms-etl status"


def test_a_module_that_was_run_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/sms_etl/__main__.py"])
    assert shlex.split(pasteable("status")) == [sys.executable, "-m", "sms_etl", "status"]


def test_words_and_settings_are_quoted(program: Path) -> None:
    command = pasteable("query", "select 'a b'", environment={"SMS_ETL_DATA_DIR": "my data"})
    assert shlex.split(command) == ["SMS_ETL_DATA_DIR=my data", ".venv/bin/sms-etl", "query", "select 'a b'"]


def test_a_path_elsewhere_stays_whole(tmp_path: Path) -> None:
    assert from_here(tmp_path / "data") == "data"
    assert from_here(Path("/srv/data")) == "/srv/data"
