"""How many delivery events a second `sms-etl webhook` takes, each on the disk before it is answered.

    .venv/bin/python -m benchmarks.webhook --seconds 10

The sender runs beside it on the same machine: on two cores it has the other one. Afterwards the events are
applied to a warehouse that knows none of their messages, and once more to one that knows all of them.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sms_etl.clock import system_clock
from sms_etl.events.apply import apply_segments
from sms_etl.events.segments import backlog
from sms_etl.warehouse.store import Warehouse

SECRET = "a-secret-of-the-benchmark-0123456789"  # noqa: S105 - of a server that lives for seconds
WANTED = 5000
"""Events a second, on two cores."""
_STATUS, _END = b"HTTP/1.1 200", b"}\n"


class Sender(asyncio.Protocol):
    """One connection: sends an event, waits for its answer, and sends the next one."""

    def __init__(self, until: float, latencies: list[float], ended: asyncio.Event) -> None:
        self._until, self._latencies, self._ended = until, latencies, ended
        self._sent = 0.0
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a TCP connection
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(_END):
            return
        if not self._answer.startswith(_STATUS):
            raise SystemExit(self._answer.decode(errors="replace"))
        self._answer = b""
        now = time.perf_counter()
        self._latencies.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._ended.set()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(_request())


def _request() -> bytes:
    data = f'{{"id":"{uuid4()}","key_id":8207,"dlr_code":1,"status_code":100,"callback_data":"order-4711"}}'
    body = (
        f'{{"id":"{uuid4()}","api_version":"2022-05-25","name":"sms.delivery","created_at":{int(time.time())},'
        f'"attempt_total":4,"attempt_number":1,"notification_task_id":"{UUID(int=1)}","data":{data}}}'
    )
    return (
        f"POST /lox24/{SECRET} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _send_all(url: str, connections: int, seconds: float) -> list[float]:
    address = urlsplit(url)
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    ends = [asyncio.Event() for _ in range(connections)]
    loop = asyncio.get_running_loop()
    for end in ends:
        await loop.create_connection(
            lambda end=end: Sender(until, latencies, end), address.hostname, address.port
        )
    for end in ends:
        await end.wait()
    return latencies


def _started(data_dir: Path) -> tuple["subprocess.Popen[str]", str]:
    environment = {
        **os.environ,
        "SMS_ETL_DATA_DIR": str(data_dir),
        "SMS_ETL_WEBHOOK_SECRET": SECRET,
        "SMS_ETL_ENV_FILE": os.devnull,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "sms_etl", "webhook", "--port", "0", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None  # noqa: S101 - a pipe
    return process, process.stderr.readline().partition("taken at ")[2].partition("/lox24")[0]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _insert_messages(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        transaction.run(
            """
            insert into raw.sms
                (uuid, created_at, status_code, dlr_code, currency, first_seen_at, last_seen_at, changed_at)
            select uuid, event_at - interval 1 minute, 100, 0, 'EUR', event_at - interval 1 minute,
                event_at - interval 1 minute, event_at - interval 1 minute
            from ops.delivery_event
            """
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        process, url = _started(data_dir)
        begun = _processor_seconds(process.pid)
        latencies = sorted(asyncio.run(_send_all(url, asked.connections, asked.seconds)))
        used = _processor_seconds(process.pid) - begun
        memory = _peak_mb(process.pid)
        process.terminate()
        printed, _ = process.communicate(timeout=30)
        assert json.loads(printed)["stored"] == len(latencies)  # noqa: S101 - all that was answered
        rate = len(latencies) / asked.seconds
        print(f"{len(latencies):,} events in {asked.seconds:.0f} s: {rate:,.0f} a second ({WANTED:,} wanted)")
        print(
            f"answered after {latencies[len(latencies) // 2] * 1000:.1f} ms in the median, "
            f"{latencies[len(latencies) * 99 // 100] * 1000:.1f} ms at the 99th percentile, "
            f"{latencies[-1] * 1000:.0f} ms at most"
        )
        print(
            f"the webhook: {used:.1f} s of processor time, {len(latencies) / used:,.0f} events for each "
            f"second of it; {memory:.0f} MB; {backlog(data_dir / 'events') / 1e6:.0f} MB of segments"
        )
        warehouse = Warehouse(f"duckdb:///{folder}/w.duckdb", system_clock)
        for what in ("wrote them down", "applied them once their messages were there"):
            begun = time.perf_counter()
            counts = apply_segments(
                warehouse, data_dir / "events", run_id=UUID(int=1), now=datetime.now(tz=UTC)
            )
            print(f"a sync {what} in {time.perf_counter() - begun:.1f} s ({counts})")
            _insert_messages(warehouse)


if __name__ == "__main__":
    main()
