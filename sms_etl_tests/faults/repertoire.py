"""Every way in which an answer goes wrong, by name. Each is one small function over an exchange."""

import json
import struct
import zlib
from collections.abc import Mapping
from socket import SO_LINGER, SOL_SOCKET

from sms_etl_tests.faults.proxy import HEAD_END, Act, Exchange, Fault

GIGABYTE = 1024**3
_BLOCK = bytes(1024**2)
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"


def answers(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Act:
    """Answer with a status, whatever was asked."""

    async def act(exchange: Exchange) -> bool:
        return await exchange.send(status, body, headers)

    return act


async def reset(exchange: Exchange) -> bool:
    """Break the connection off, before the answer or in its midst."""
    if exchange.rng.random() < 0.5:
        head, body = await exchange.upstream()
        exchange.writer.write(head + body[: len(body) // 2])
        await exchange.writer.drain()
    linger_for_no_time = struct.pack("ii", 1, 0)
    exchange.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger_for_no_time)
    return False


async def truncated(exchange: Exchange) -> bool:
    """Promise the whole body, send a part of it and close."""
    head, body = await exchange.upstream()
    exchange.writer.write(head + body[: exchange.rng.randrange(len(body))])
    await exchange.writer.drain()
    return False


async def stalled(exchange: Exchange) -> bool:
    """Fall silent, before the answer or in its midst, and keep the connection."""
    if exchange.rng.random() < 0.5:
        head, body = await exchange.upstream()
        exchange.writer.write(head + body[: len(body) // 2])
        await exchange.writer.drain()
    await exchange.client_left()
    return False


async def lost(exchange: Exchange) -> bool:
    """Have the request carried out, and close without an answer."""
    await exchange.upstream()
    return False


async def cut(exchange: Exchange) -> bool:
    """Have the request carried out, and close in the midst of the answer."""
    head, body = await exchange.upstream()
    exchange.writer.write(head + body[: len(body) // 2])
    await exchange.writer.drain()
    return False


async def silent(exchange: Exchange) -> bool:
    """Have the request carried out, answer nothing, and keep the connection."""
    await exchange.upstream()
    await exchange.client_left()
    return False


async def never_arrived(exchange: Exchange) -> bool:
    """Close before the request is carried out."""
    return False


async def carried_out_500(exchange: Exchange) -> bool:
    """Have the request carried out, and answer that something went wrong."""
    await exchange.upstream()
    return await exchange.send(500)


def answers_after(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Act:
    """Have the request carried out, and answer something else."""

    async def act(exchange: Exchange) -> bool:
        await exchange.upstream()
        return await exchange.send(status, body, headers)

    return act


async def broken_json(exchange: Exchange) -> bool:
    """Answer 200 with a text that begins like the right one and ends too early."""
    _, body = await exchange.upstream()
    return await exchange.send(200, body[: exchange.rng.randrange(1, len(body))])


async def without_member(exchange: Exchange) -> bool:
    """Answer 200 with a listing that has no rows where they should be."""
    return await exchange.send(200, json.dumps({"@type": "hydra:Collection", "hydra:totalItems": 0}).encode())


async def redirected(exchange: Exchange) -> bool:
    """Send the client to another host."""
    status = exchange.rng.choice((301, 302, 303, 307, 308))
    return await exchange.send(status, headers={"Location": exchange.elsewhere + exchange.asked.target})


async def gigabyte(exchange: Exchange) -> bool:
    """Answer with a gigabyte of zeros."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/ld+json\r\nContent-Length: {GIGABYTE}"
    exchange.writer.write(head.encode() + HEAD_END)
    for _ in range(GIGABYTE // len(_BLOCK)):
        exchange.writer.write(_BLOCK)
        await exchange.writer.drain()
    return True


async def gigabyte_without_a_length(exchange: Exchange) -> bool:
    """Answer with a gigabyte of zeros and do not say beforehand how much it will be."""
    exchange.writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/ld+json\r\nConnection: close" + HEAD_END
    )
    for _ in range(GIGABYTE // len(_BLOCK)):
        exchange.writer.write(_BLOCK)
        await exchange.writer.drain()
    return False


async def gigabyte_compressed(exchange: Exchange) -> bool:
    """Answer with a megabyte that unpacks to a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = packer.compress(_BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    further = packer.compress(_BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)  # the same each time, from here on
    body = first + further * (GIGABYTE // len(_BLOCK) - 1)
    return await exchange.send(200, body, {"Content-Encoding": "gzip"})


FAULTS = (
    Fault("500", answers(500, b'{"title":"Internal Server Error"}')),
    Fault("502 with HTML", answers(502, _HTML, {"Content-Type": "text/html"})),
    Fault("503 with Retry-After", answers(503, b"", {"Retry-After": "1"})),
    Fault("504 empty", answers(504)),
    Fault("429 with Retry-After", answers(429, b"", {"Retry-After": "2"})),
    Fault("429 without Retry-After", answers(429)),
    Fault("connection reset", reset),
    Fault("truncated body", truncated),
    Fault("stall", stalled),
    Fault("200 with broken JSON", broken_json),
    Fault("200 empty", answers(200)),
    Fault("200 without hydra member", without_member),
    Fault("redirect to another host", redirected),
    Fault("body of a gigabyte", gigabyte),
    Fault("body of a gigabyte, no length", gigabyte_without_a_length),
    Fault("body of a gigabyte, compressed", gigabyte_compressed),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
