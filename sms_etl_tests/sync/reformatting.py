"""A provider that writes its rows in another format while it is told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.faults.proxy import Asked, Exchange, Fault, FaultyProxy, nothing, running_proxy

Rewrite = Callable[[dict[str, Any]], dict[str, Any]]
"""Writes a row in the new format."""

_read = msgspec.json.Decoder(float_hook=Decimal).decode
_write = msgspec.json.Encoder(decimal_format="number").encode


def dates_as_iso(row: dict[str, Any]) -> dict[str, Any]:
    moments = {
        name: datetime.fromtimestamp(row[name], tz=UTC).isoformat() if row[name] else None
        for name in ("created_at", "delivery_at", "gateway_sent_at", "processed_at")
        if name in row
    }
    return row | moments


def prices_as_text(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: str(row[name]) for name in ("price", "msg_total_cost") if name in row}


def integers_as_text(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: str(value) for name, value in row.items() if type(value) is int}


def booleans_as_numbers(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: int(value) for name, value in row.items() if type(value) is bool}


@dataclass
class Reformatting:
    """The provider, and the proxy that rewrites its answers."""

    provider: SandboxHandle
    proxy: FaultyProxy

    def write(self, rewrite: Rewrite, path: str = "/sms") -> None:
        """Rewrite the rows of a listing, from now on."""

        async def act(exchange: Exchange) -> bool:
            head, body = await exchange.upstream()
            if b" 200 " not in head.partition(b"\r\n")[0]:
                exchange.writer.write(head + body)
                await exchange.writer.drain()
                return True
            listing = _read(body)
            listing["hydra:member"] = [rewrite(row) for row in listing["hydra:member"]]
            return await exchange.send(200, _write(listing), {"Content-Type": "application/ld+json"})

        fault = Fault("another format", act)

        def plan(asked: Asked) -> Fault | None:
            return fault if asked.path == path else None

        self.proxy.begin(plan)

    def write_as_documented(self) -> None:
        """Answer as the sandbox does."""
        self.proxy.begin(nothing)


@contextmanager
def reformatting(provider: SandboxHandle) -> Iterator[Reformatting]:
    with running_proxy(provider.url) as proxy:
        yield Reformatting(provider, proxy)
