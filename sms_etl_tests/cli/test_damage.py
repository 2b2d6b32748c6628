"""Files that are not what they should be: each command says what is wrong and what to do, in a line."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from sms_etl.cli.commands import cli
from sms_etl.cli.demo import with_sandbox
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import load_settings

WAREHOUSE, COPY = Path("warehouse.duckdb"), Path("published/warehouse.duckdb")
WRITING = [["build"], ["publish"], ["report", "--month", "2026-01"], ["demo"], ["ui"]]
QUERY = ["query", "select * from marts.fct_sms"]
Damage = Callable[[Path], None]
Say = Callable[..., Result]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory in which everything is as it should be."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    with (
        pytest.MonkeyPatch.context() as patch,
        running_sandbox(account=AccountParameters(messages=300, days=40)) as provider,
    ):
        patch.setenv("SMS_ETL_ENV_FILE", os.devnull)
        settings = with_sandbox(load_settings(data_dir=folder, now=provider.now()), provider)
        sync_build_publish(settings)
        patch.undo()
        yield folder


@pytest.fixture
def data(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(folder))
    return folder


def say(*words: str) -> Result:
    """Run a command; return what it says, which is no traceback."""
    result = CliRunner().invoke(cli, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "unexpected" not in result.stderr
    assert "Traceback" not in result.stderr
    return result


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def folder(path: Path) -> None:
    remove(path)
    path.mkdir()


def dangling_link(path: Path) -> None:
    remove(path)
    path.symlink_to(path.with_name("gone"))


def empty(path: Path) -> None:
    remove(path)
    path.touch()


def text(path: Path) -> None:
    remove(path)
    path.write_text("a text\n" * 10_000)


def cut_short(path: Path) -> None:
    """Leave too little for any table."""
    content = path.read_bytes()
    remove(path)
    path.write_bytes(content[: len(content) // 10])


def scratched(path: Path) -> None:
    """Overwrite a part of every block but for the header."""
    content = bytearray(path.read_bytes())
    for start in range(12288 + 100_000, len(content), 262_144):
        content[start : start + 64] = b"\xa5" * 64
    remove(path)
    path.write_bytes(content)


def another_programs(path: Path) -> None:
    remove(path)
    with duckdb.connect(path) as other:
        other.execute("create table theirs as select 1 as a")


WRONG_FILES = [folder, dangling_link, empty, text, cut_short, scratched]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (folder, "is a folder"),
        (dangling_link, "is a link"),
        (empty, "is an empty file"),
        (text, "is not a DuckDB file"),
        (cut_short, "is damaged"),
        (scratched, "is damaged"),
        (another_programs, "was not made by sms_etl"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_status_says_what_is_wrong_with_the_warehouse_and_not_what_the_copy_holds(
    data: Path, damage: Damage, says: str
) -> None:
    damage(data / WAREHOUSE)
    result = say("status")
    assert result.exit_code == 1
    assert says in result.stderr


@pytest.mark.parametrize("damage", [*WRONG_FILES, another_programs])
@pytest.mark.parametrize("command", ["build", "publish", "doctor"])
def test_what_writes_the_warehouse_refuses_a_wrong_one_and_keeps_the_copy(
    data: Path, damage: Damage, command: str
) -> None:
    before = (data / COPY).read_bytes()
    damage(data / WAREHOUSE)
    assert say(command).exit_code == 1
    assert (data / COPY).read_bytes() == before


@pytest.mark.parametrize("damage", WRONG_FILES)
@pytest.mark.parametrize("command", [QUERY, ["report", "--month", "2026-01"]], ids=["query", "report"])
def test_a_copy_that_is_wrong_is_said_to_be_and_publishing_puts_a_new_one_in_its_place(
    data: Path, damage: Damage, command: list[str]
) -> None:
    damage(data / COPY)
    result = say(*command)
    assert result.exit_code == 1
    assert str(data / COPY) in result.stderr
    if damage is not folder:
        assert say("publish").exit_code == 0
        assert say(*QUERY).exit_code == 0


def test_doctor_reads_the_warehouse_whole(data: Path) -> None:
    assert "can be read and written" in say("doctor").stdout
    scratched(data / WAREHOUSE)
    assert "is damaged" in " ".join(say("doctor").stdout.split())


@pytest.mark.parametrize(
    "command", [["status"], ["doctor"], ["publish"], QUERY, ["demo", "--messages", "100"]]
)
@pytest.mark.parametrize("place", [text, dangling_link])
def test_a_data_directory_that_is_none(data: Path, place: Damage, command: list[str]) -> None:
    remove(data)
    place(data)
    assert say(*command).exit_code == 1


def test_seeds_that_cannot_be_read_are_named(data: Path) -> None:
    (data / "seeds" / "cost_centres.csv").mkdir(parents=True)
    result = say("build")
    assert result.exit_code == 1
    assert "cost_centres.csv cannot be used: Is a directory" in result.stderr


@pytest.mark.parametrize("named", ["~nobody-is-called-so/x", "."])
def test_an_env_file_that_is_none_is_refused(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_ETL_ENV_FILE", named)
    result = say("status")
    assert result.exit_code == 2
    assert "SMS_ETL_ENV_FILE" in result.stderr


# --- what only another process meets ---


def powerless(*words: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command as somebody whom file modes bind, as they do not root."""
    dropping = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
    if dropping and shutil.which("setpriv") is None:
        pytest.skip("root without setpriv cannot lay down its powers")
    command = [*dropping, sys.executable, "-m", "sms_etl", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", WRITING)
def test_a_read_only_data_directory(data: Path, command: list[str]) -> None:
    for path in (data, *data.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        result = powerless(*command, environment={**os.environ})
        assert powerless(*QUERY, environment={**os.environ}).returncode == 0
    finally:
        for path in (data, *data.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert result.returncode == 1
    assert "\nError: " in f"\n{result.stderr}"
    assert str(data) in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user_is_said_to_be(data: Path) -> None:
    os.chown(data / "published", 65534, 65534)
    (data / "published").chmod(0o700)
    for command in (["publish"], QUERY):
        result = powerless(*command, environment={**os.environ})
        assert result.returncode == 1
        assert "Permission denied" in result.stderr
        assert "It belongs to " in result.stderr


def test_a_full_disk_is_called_one_and_leaves_nothing_that_blocks(data: Path) -> None:
    """A limit on the size of files is what a disk without room is to DuckDB: writing fails."""

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    # What measures coverage could not write its own file either.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    full = subprocess.run(
        [sys.executable, "-B", "-m", "sms_etl", "build"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=little_room,
    )
    assert (full.returncode, "Traceback" in full.stderr) == (1, False)
    assert "the disk is full" in full.stderr
    assert say("build").exit_code == 0
    assert say("publish").exit_code == 0


def test_an_error_nobody_foresaw_is_a_line_that_quotes_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    number = "+4915112345678"

    def broken(*_arguments: object) -> None:
        raise KeyError(number)

    monkeypatch.setattr("sms_etl.cli.status.read_status", broken)
    result = CliRunner().invoke(cli, ["-vv", "status"])
    assert result.exit_code == 1
    assert "Something unexpected happened: KeyError in sms_etl/cli/commands.py" in result.stderr
    assert "cli/test_damage.py" in caplog.text
    assert number not in result.stderr + caplog.text
