"""Opens Dagster's own pages on this machine, on the real account or on the sandbox, without telemetry."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

from sms_etl.demo import demo_sandbox_state, with_sandbox
from sms_etl.errors import SettingsError
from sms_etl.files import make_directory
from sms_etl.sandbox.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import Settings

LOOPBACK = "127.0.0.1"
_ENDS_WITHIN_SECONDS = 20
_SANDBOX_BACKLOG = timedelta(days=1)


def serve(settings: Settings, *, port: int, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        settings: With a token: the real account. Without: the sandbox, where the demo left it.
        port: On 127.0.0.1.
        say: Is told what is served, and where.

    Raises:
        SettingsError: Dagster is not installed.
    """
    with _account(settings, say) as chosen:
        home = _dagster_home(chosen)
        say(f"Dagster opens on http://{LOOPBACK}:{port}; end it with Ctrl-C.")
        _run(_command(port), {**os.environ, **_environment(chosen), "DAGSTER_HOME": str(home)})


@contextmanager
def _account(settings: Settings, say: Callable[[str], None]) -> Iterator[Settings]:
    if settings.lox24_token is not None:
        say(f"With the account behind SMS_ETL_LOX24_TOKEN at {settings.lox24_base_url}.")
        yield settings
        return
    make_directory(settings.data_dir)
    account = AccountParameters(end=settings.clock().replace(microsecond=0) - _SANDBOX_BACKLOG)
    with running_sandbox(state=demo_sandbox_state(settings), account=account, live=True) as provider:
        provider.advance(max(settings.clock() - provider.now(), timedelta(0)))
        say(f"With the sandbox at {provider.url}: SMS_ETL_LOX24_TOKEN is not set.")
        yield with_sandbox(settings, provider)


def _environment(settings: Settings) -> dict[str, str]:
    token = settings.lox24_token.get_secret_value() if settings.lox24_token else ""
    return {
        "SMS_ETL_LOX24_TOKEN": token,
        "SMS_ETL_LOX24_BASE_URL": settings.lox24_base_url,
        "SMS_ETL_DATA_DIR": str(settings.data_dir.resolve()),
    }


def _dagster_home(settings: Settings) -> Path:
    home = settings.data_dir.resolve() / "dagster"
    make_directory(home)
    shutil.copyfile(str(files("sms_etl") / "defs" / "dagster.yaml"), home / "dagster.yaml")
    return home


def _command(port: int) -> list[str]:
    program = shutil.which(
        "dagster", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if program is None:
        raise SettingsError("Dagster is not installed beside sms-etl.", hint="Install sms_etl again.")
    return [program, "dev", "-h", LOOPBACK, "-p", str(port), "-m", "sms_etl.definitions"]


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Run Dagster as a process group of its own: it starts several, and all must end with it."""
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603 - our own command
    try:
        process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(_ENDS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
