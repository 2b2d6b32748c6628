"""Reads a published copy and its Parquet files with several threads until its input ends; prints what it met.

Each reader opens the copy anew each time, as a dashboard does, and compares two marts that must agree in any
one publication.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.settings import load_settings
from sms_etl.warehouse.read import connect

AGREE = """
select
    (select max(published_at) from ops.publication),
    (select count(*) from marts.fct_sms) = (select sum(messages) from marts.cost_daily),
    (select sum(price) from marts.fct_sms) = (select sum(cost) from marts.cost_daily)
"""
PARQUET = "select count(*), count(price) from read_parquet('{0}/marts.fct_sms/**/*.parquet')"


class Readers:
    """What some threads met."""

    def __init__(self, data_dir: Path, threads: int) -> None:
        self.settings = load_settings(data_dir=data_dir)
        self.ended = threading.Event()
        self.errors: list[str] = []
        self.reads = [0] * threads
        self.publications: set[str] = set()
        self.threads = [threading.Thread(target=self.keep_reading, args=(each,)) for each in range(threads)]

    def keep_reading(self, number: int) -> None:
        while not self.ended.is_set():
            try:
                self.read()
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is looked for
                self.errors.append(f"{type(exc).__name__}: {exc}")
                return
            self.reads[number] += 1
            self.ended.wait(0.05)  # as quick as a dashboard that never rests, and leaves the others a core

    def read(self) -> None:
        with connect(self.settings) as connection:
            for _ in range(3):  # the same publication as long as it is open
                [(published_at, *agree)] = connection.execute(AGREE).fetchall()
                if agree != [True, True]:
                    raise AssertionError(f"marts do not agree: {agree}")
                self.publications.add(str(published_at))
        with duckdb.connect(":memory:") as connection:
            [(rows, priced)] = connection.execute(PARQUET.format(self.settings.parquet_path)).fetchall()
            if not rows >= priced > 0:
                raise AssertionError(f"{rows} rows in Parquet, {priced} of them with a price")

    def run(self) -> dict[str, Any]:
        for thread in self.threads:
            thread.start()
        sys.stdout.write("reading\n")
        sys.stdout.flush()
        sys.stdin.readline()
        self.ended.set()
        for thread in self.threads:
            thread.join()
        return {"errors": self.errors, "reads": self.reads, "publications": sorted(self.publications)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(Readers(Path(sys.argv[1]), int(sys.argv[2])).run()))
