"""The first line of the table alone, without the rivals: our rows a second beside those of the wire.

python -m benchmarks.quick [rows] [page size] [latency in ms]
"""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.ours import CONCURRENCY, sync
from benchmarks.processes import measure, page_server


def main() -> None:
    rows, page_size, latency = (
        int(value) for value in [*sys.argv[1:], *("200000", "100", "0")[len(sys.argv) - 1 :]]
    )
    print(f"load {os.getloadavg()[0]:.2f}")
    with page_server(rows, page_size=page_size) as server, tempfile.TemporaryDirectory() as directory:
        newest = server.tell("set", latency_ms=latency)["newest"]
        arguments = [server.url, rows, page_size, CONCURRENCY]
        wire = measure([sys.executable, "-m", "benchmarks.wire", *map(str, arguments)], {})
        ours = sync(server, Path(directory), newest + 60)
    print(f"wire  {rows / wire.seconds:10,.0f} rows/s  {wire.seconds:6.1f} s  cpu {wire.cpu_seconds:6.1f} s")
    print(
        f"ours  {rows / ours.measured.seconds:10,.0f} rows/s  {ours.measured.seconds:6.1f} s  "
        f"cpu {ours.measured.cpu_seconds:6.1f} s  peak {ours.measured.peak_mb:.0f} MB  "
        f"{wire.seconds / ours.measured.seconds:.2f} of the wire"
    )
    print(ours.result)
    print(ours.asked)


if __name__ == "__main__":
    main()
