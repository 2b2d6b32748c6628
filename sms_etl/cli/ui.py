"""Opens Dagster's own pages on this machine, on the real account or on the sandbox, without telemetry.

No other web page can drive them: see `defs/webserver.py`.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum

from pydantic import SecretStr

from sms_etl.cli.demo import (
    claim_for_sandbox,
    demo_sandbox_state,
    demo_settings,
    is_demo,
    require_sandbox,
    with_sandbox,
)
from sms_etl.cli.supervisor import supervised
from sms_etl.defs.home import WORKSPACE, make_home
from sms_etl.errors import SettingsError, UiError
from sms_etl.files import keep_private, make_directory
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import ENV_FILE, PREFIX, Settings
from sms_etl.warehouse.store import Warehouse

LOOPBACK = "127.0.0.1"
_SANDBOX_BACKLOG = timedelta(days=1)


def serve(settings: Settings, *, port: int, say: Callable[[str], None]) -> None:
    """Serve until interrupted; Dagster and all it started end with this call, and with this process.

    Args:
        settings: With a token: the real account. Without, or in a demo's directory: the demo and its sandbox.
        port: On 127.0.0.1.
        say: Is told what is served, and where.

    Raises:
        SettingsError: Something else uses the port.
        UiError: Dagster ended by itself.
        WrongAccount: What lies in the demo's directory is not known to be a sandbox's.
    """
    _require_free(port)
    with _account(settings, say) as chosen:
        home = make_home(chosen)
        where = ("-h", LOOPBACK, "-p", str(port), "-w", str(home / WORKSPACE))
        command = [sys.executable, "-m", "sms_etl.defs.dev", *where]
        keep_private(chosen)
        environment = {**os.environ, **environment_of(chosen), "DAGSTER_HOME": str(home)}
        say(f"Dagster opens on http://{LOOPBACK}:{port}; end it with Ctrl-C.")
        with supervised(command, environment) as dagster:
            code = dagster.wait()
    raise UiError(
        f"Dagster stopped unexpectedly, with exit code {code}.",
        hint="The lines above say why.",
    )


@contextmanager
def _account(settings: Settings, say: Callable[[str], None]) -> Iterator[Settings]:
    if settings.lox24_token is not None and not is_demo(settings):
        say(f"With the account behind SMS_ETL_LOX24_TOKEN at {settings.lox24_base_url}.")
        yield settings
        return
    used = demo_settings(settings)
    make_directory(used.data_dir)
    require_sandbox(used)
    account = AccountParameters(end=used.clock().replace(microsecond=0) - _SANDBOX_BACKLOG)
    with running_sandbox(state=demo_sandbox_state(used), account=account, live=True) as provider:
        provider.advance(max(used.clock() - provider.now(), timedelta(0)))
        if not Warehouse.of(used).exists:
            claim_for_sandbox(used, provider)
        why = "this is a demo's directory" if settings.lox24_token else "SMS_ETL_LOX24_TOKEN is not set"
        say(f"With the sandbox at {provider.url}, in {used.data_dir}: {why}.")
        yield with_sandbox(used, provider)


def _require_free(port: int) -> None:
    """Dagster itself would take a minute to notice."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as exc:
        raise SettingsError(
            f"Port {port} cannot be used: {exc.strerror}.", hint="Give another one: sms-etl ui --port 3001"
        ) from exc


def environment_of(settings: Settings) -> dict[str, str]:
    """Return an environment from which exactly these settings are read."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    values["warehouse"] = settings.warehouse_url
    return {
        ENV_FILE: os.devnull,
        **{PREFIX + name.upper(): _as_text(value) for name, value in values.items()},
    }


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())}s"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (Mapping, tuple)):
        pairs = value.items() if isinstance(value, Mapping) else ((each,) for each in value)
        return ",".join("=".join(map(_as_text, pair)) for pair in pairs)
    return str(value.value if isinstance(value, Enum) else value)
