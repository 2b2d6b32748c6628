"""Runs the sandbox: `run` until it is stopped, `running_sandbox` beside other code. On 127.0.0.1 only."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from sms_etl.errors import SettingsError
from sms_etl.sandbox.app import create_app
from sms_etl.sandbox.control.guard import CONTROL_PATH
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.lox24.answers import json_bytes
from sms_etl.sandbox.storage.state import SANDBOX_TOKEN, SandboxState, open_state
from sms_etl.sandbox.twosms.api import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET

LOOPBACK = "127.0.0.1"
_STARTS_WITHIN_S = 60
_KEEP_ALIVE_S = 60
_HIGHEST_PORT = 65_535


class SandboxHandle:
    """A running sandbox, seen from outside: where it is, and its control calls.

    Args:
        url: Where it listens.
    """

    token = SANDBOX_TOKEN
    twosms_client_id = SANDBOX_CLIENT_ID
    twosms_client_secret = SANDBOX_CLIENT_SECRET

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}{CONTROL_PATH}/", timeout=60, trust_env=False)

    def control(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Make a control call and give its JSON; numbers with a point come as Decimal.

        Raises:
            ValueError: The sandbox refused it; the message says why.
        """
        response = self._http.request(
            method, path, content=json_bytes(body or {}), headers={"Content-Type": "application/json"}
        )
        answered = response.json(parse_float=Decimal)
        if response.is_error:
            raise ValueError(answered["detail"])
        return answered

    def now(self) -> datetime:
        """Return the sandbox's moment, in UTC."""
        return datetime.fromtimestamp(self.control("GET", "clock")["now"], tz=UTC)

    def advance(self, by: timedelta) -> datetime:
        """Move the clock forward and give the new moment."""
        self.control("POST", "clock", {"advance_seconds": int(by.total_seconds())})
        return self.now()

    def truth(self) -> dict[str, Any]:
        """Return now, account_id, currency, messages, price_sum (exact decimal text) and bulks."""
        answered: dict[str, Any] = self.control("GET", "truth")
        return answered

    def truth_sms(self) -> list[dict[str, Any]]:
        """Return every message as it is now, oldest first; prices are int or Decimal."""
        answered: list[dict[str, Any]] = self.control("GET", "truth/sms")
        return answered

    def truth_bulks(self) -> list[dict[str, Any]]:
        """Return every bulk as it is now, in full, oldest first."""
        answered: list[dict[str, Any]] = self.control("GET", "truth/bulks")
        return answered

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests to the providers' endpoints: method, path, query, status, request_id."""
        answered: list[dict[str, Any]] = self.control("GET", "requests")
        return answered

    def forget_requests(self) -> None:
        """Empty the log of requests."""
        self.control("DELETE", "requests")

    def set_switches(self, **switches: Any) -> None:
        """Change how the sandbox behaves, by the names of `SandboxSwitches`."""
        self.control("POST", "switches", switches)

    def insert(self, *messages: dict[str, Any]) -> list[str]:
        """Put messages into the account, see life/insertion.py, and give their uuids."""
        uuids: list[str] = self.control("POST", "messages", list(messages))
        return uuids

    def delete(self, *uuids: str) -> None:
        """Let messages vanish, as if somebody had deleted them."""
        self.control("POST", "messages/delete", {"uuids": list(uuids)})

    def truth_twosms(self) -> list[dict[str, Any]]:
        """Return every message of the 2SMS account as it is now, deleted ones too."""
        answered: list[dict[str, Any]] = self.control("GET", "truth/twosms")
        return answered

    def insert_twosms(self, *messages: dict[str, Any]) -> list[str]:
        """Put messages into the 2SMS account, by the fields of `TwoSmsMessage`, and give their ids.

        Only `destination` is needed: an advanced message is sent now, under an id of its own.
        """
        ids: list[str] = self.control("POST", "twosms/messages", list(messages))
        return ids

    def send_webhooks_to(self, url: str | None) -> None:
        """Send `sms.delivery` events of changes from now on to an address."""
        self.control("POST", "webhooks", {"url": url})

    def deliver_webhooks(self) -> dict[str, int]:
        """Send the events that are due; give attempts, delivered, given_up and waiting."""
        counts: dict[str, int] = self.control("POST", "webhooks/deliver")
        return counts

    def close(self) -> None:
        """Close the handle's connections; the sandbox runs on."""
        self._http.close()


class _Server(uvicorn.Server):
    """A server that says when it listens and installs no log of its own."""

    def __init__(self, state: SandboxState, on_listening: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(state),
                ws="none",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=2,
            )
        )
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()


def run(
    host: str = LOOPBACK,
    port: int = 8024,
    *,
    state: Path | None = None,
    switches: SandboxSwitches | None = None,
    account: AccountParameters | None = None,
    webhook_url: str | None = None,
    live: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a sandbox until interrupted.

    Args:
        host: Must be a loopback address.
        port: 0 takes a free one.
        state: SQLite file that is kept between runs; in memory unless given.
        switches: How it behaves.
        account: What account is made, where the state is new.
        webhook_url: Where `sms.delivery` events go.
        live: Whether the clock runs with real time.
        on_ready: Called with the sandbox's address once it answers.

    Raises:
        SettingsError: Address, port or state file cannot be used.
    """
    with _listening(host, port) as listener:
        opened = open_state(state, switches=switches, account=account, webhook_url=webhook_url, live=live)
        url = _url(listener)
        server = _Server(opened, lambda: on_ready(url) if on_ready else None)
        with contextlib.closing(opened), contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


@contextlib.contextmanager
def running_sandbox(
    *,
    port: int = 0,
    state: Path | None = None,
    switches: SandboxSwitches | None = None,
    account: AccountParameters | None = None,
    webhook_url: str | None = None,
    live: bool = False,
) -> Iterator[SandboxHandle]:
    """Serve a sandbox in a thread while the block runs.

    Args:
        port: 0 takes a free one.
        state: SQLite file that is kept; in memory unless given.
        switches: How it behaves.
        account: What account is made, where the state is new.
        webhook_url: Where `sms.delivery` events go.
        live: Whether the clock runs with real time.

    Yields:
        The handle of the running sandbox.

    Raises:
        SettingsError: Port or state file cannot be used.
    """
    with _listening(LOOPBACK, port) as listener:
        opened = open_state(state, switches=switches, account=account, webhook_url=webhook_url, live=live)
        is_up = threading.Event()
        server = _Server(opened, is_up.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        with contextlib.closing(opened), contextlib.closing(SandboxHandle(_url(listener))) as handle:
            try:
                is_up.wait(_STARTS_WITHIN_S)
                yield handle
            finally:
                handle.close()
                server.should_exit = True
                thread.join()


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    if host not in {LOOPBACK, "localhost"}:
        raise SettingsError(f"The sandbox does not listen on {host}.", hint=f"Leave it on {LOOPBACK}.")
    if not 0 <= port <= _HIGHEST_PORT:
        raise SettingsError(f"There is no port {port}.", hint=f"Give one from 0 to {_HIGHEST_PORT}.")
    try:
        listener = socket.create_server((LOOPBACK, port))
    except OSError as exc:
        raise SettingsError(
            f"Port {port} cannot be used: {exc}", hint="Give another port, or 0 for any free one."
        ) from exc
    with listener:
        yield listener


def _url(listener: socket.socket) -> str:
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"
