"""Serves the webhook until it is stopped; then finishes what it accepted."""

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn

from sms_etl.clock import Clock
from sms_etl.errors import SettingsError
from sms_etl.events.receiver import PATH, Guard, Receiver
from sms_etl.events.segments import SegmentWriter
from sms_etl.events.together import TogetherWriter
from sms_etl.files import keep_private, make_directory
from sms_etl.settings import PREFIX, Settings
from sms_etl.web.loopback import is_loopback_host

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_CONNECTIONS = 500
"""Most at once: a system allows a process some thousand open files, and each takes one."""
_QUEUED_CONNECTIONS = 2048
_KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s for which proxies keep a connection: the one who closes it first should be they."""
_GRACE_SECONDS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def serve(settings: Settings, *, host: str, port: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Take events until interrupted; return what was answered, as plain JSON values.

    Args:
        settings: With `webhook_secret`.
        host: Where to listen.
        port: 0 takes a free one.
        say: Is told the address once it answers.

    Raises:
        SettingsError: There is no secret, or the port cannot be used.
        DataDirError: The folder of events cannot be made.
    """
    secret = settings.webhook_secret
    if secret is None:
        raise no_secret()
    make_directory(settings.events_dir)
    keep_private(settings)
    if not is_loopback_host(host):
        say(
            f"Listening on {host}: without TLS before it, the secret travels in clear. "
            "docs/webhook.md shows a reverse proxy."
        )
    segments = SegmentWriter(settings.events_dir)
    guard = Guard(secret.get_secret_value(), settings.webhook_networks, settings.webhook_address_header)
    app = Receiver(
        guard,
        TogetherWriter(segments.append, segments.close_if_due),
        segments.close,
        lambda: _microseconds(settings.clock),
    )
    with _listening(host, port) as listener:
        url = _url(listener)
        server = _Server(app, lambda: say(f"Events are taken at {url}{PATH}<secret>; end it with Ctrl-C."))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    _log.info("Ended: %s", app.counts.said())
    return app.counts.as_json()


def no_secret() -> SettingsError:
    """Return the error of somebody who has set no secret yet."""
    return SettingsError(
        f"{PREFIX}WEBHOOK_SECRET is not set.",
        hint="Make one, keep it in the environment or the .env file, and give LOX24 the address that ends "
        'with it: python3 -c "import secrets; print(secrets.token_urlsafe(32))"',
    )


class _Server(uvicorn.Server):
    """A server that says when it listens and writes no log of requests: their path is the secret."""

    def __init__(self, app: Receiver, on_listening: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_QUEUED_CONNECTIONS,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_listening()


def _microseconds(clock: Clock) -> int:
    return (clock() - _EPOCH) // _MICROSECOND


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_QUEUED_CONNECTIONS)
    except OSError as exc:
        raise SettingsError(
            f"Port {port} of {host} cannot be used: {exc.strerror}.",
            hint="Give another --port or --host: `sms-etl webhook --port 8026`.",
        ) from exc
    with listener:
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
