"""None of the planted personal strings is found anywhere, whatever command was run: no file, no output.

The commands are the real ones, each a process of its own, under the default policy.
"""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from sms_etl_tests.attacks.attack import NEEDS_ATTENTION, environment
from sms_etl_tests.attacks.form import IS_FULL
from sms_etl_tests.attacks.good_rows import NOW, bulks, messages
from sms_etl_tests.attacks.plants import (
    ELSEWHERE,
    IN_BAD_BULK,
    IN_BULK_PHONES,
    IN_BULK_TEXT,
    IN_BULK_UNKNOWN,
    IN_ERROR_BODY,
    IN_REQUEST_ID,
    leaks,
    plants,
    texts_of,
)
from sms_etl_tests.attacks.poisoned_rows import joined, literals_of
from sms_etl_tests.attacks.stand_in import Listing, StandIn, running_stand_in
from sms_etl_tests.providers.lox24.server import Reply

ROWS = messages(200)
PLANTS = plants([planted.truth for planted in ROWS[50:]])
ALL = [*PLANTS, *ELSEWHERE]
SMS_ETL = (sys.executable, "-m", "sms_etl")
_ERROR = f'{{"title":"x","detail":"{IN_ERROR_BODY.text}"}}'.encode()
MONTH = f"{NOW:%Y-%m}"

Places = dict[str, set[str]]
"""Where each plant was found."""


@contextmanager
def planted_provider() -> Iterator[StandIn]:
    """Serve an account in which every plant is planted."""
    rows, some_bulks = messages(200), bulks(5)
    for row, plant in zip(rows[50:], PLANTS, strict=False):
        row.shown = plant.row
    first, second = some_bulks[0], some_bulks[2]
    more = {
        "text": f'"{IN_BULK_TEXT.text}"'.encode(),
        "phones": f'["{IN_BULK_PHONES.text}"]'.encode(),
        "contact": f'"{IN_BULK_UNKNOWN.text}"'.encode(),
    }
    first.shown = (joined(literals_of(first.truth) | more),)
    bad = {"msg_total_cost": b"-1", "phones": f'["{IN_BAD_BULK.text}"]'.encode()}
    second.shown = (joined(literals_of(second.truth) | bad),)
    with running_stand_in(rows, some_bulks, page_size=40) as provider:
        provider.begin(is_poisoned=True)
        provider.headers = {"X-LOX24-REQUEST-ID": IN_REQUEST_ID.text}
        yield provider


class Machine:
    """Somebody's machine: a data directory, and what commands printed."""

    def __init__(self, provider: StandIn, directory: Path) -> None:
        self.provider = provider
        self.data_dir = directory / "data"
        self.home = self.data_dir / "dagster"
        self.printed: dict[str, str] = {}
        self.codes: dict[str, int] = {}

    def run(self, *command: str, program: tuple[str, ...] = SMS_ETL, **more: str) -> None:
        """Run a command, and keep what it printed."""
        self.provider.requests.clear()
        done = subprocess.run(
            [*program, *command],
            env={**environment(self.provider, self.data_dir), **more},
            cwd=self.data_dir.parent,
            capture_output=True,
            check=False,
            timeout=300,
        )
        name = f"{' '.join(command)} ({len(self.printed)})"
        self.codes[name] = done.returncode
        self.printed[name] = (done.stdout + done.stderr).decode(errors="replace")
        assert "Traceback" not in self.printed[name], self.printed[name]

    def run_dagster(self) -> None:
        """Run the whole job in Dagster."""
        self.home.mkdir(exist_ok=True)
        (self.home / "dagster.yaml").write_text((files("sms_etl.defs") / "dagster.yaml").read_text())
        self.run(
            *("job", "execute", "-m", "sms_etl.definitions", "-j", "sms_pipeline"),
            program=(sys.executable, "-m", "dagster"),
            DAGSTER_HOME=str(self.home),
        )

    def found(self) -> Places:
        """Search every file and all that was printed."""
        places: Places = defaultdict(set)
        for name, printed in self.printed.items():
            for plant in leaks(printed, ALL):
                places[plant].add(f"printed by {name}")
        for path in sorted(self.data_dir.rglob("*")):
            if not path.is_file():
                continue
            for where, text, is_decoded in texts_of(path):
                for plant in leaks(text, ALL, is_decoded=is_decoded):
                    places[plant].add(f"{path.relative_to(self.data_dir)}: {where}")
        return places


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with planted_provider() as provider:
        machine = Machine(provider, tmp_path)
        machine.run("doctor")
        machine.run("sync", "-vv")
        machine.run("publish")
        machine.run("status", "--json")
        machine.run("quarantine", "list", "--all")
        machine.run("report", "--month", MONTH)
        machine.run("query", "--json", "select * from marts.fct_sms")
        provider.replies = {"/bulks": Reply(422, _ERROR)}
        machine.run_dagster()
        if IS_FULL:
            _run_the_rest(machine, provider)
        yield machine


def _run_the_rest(machine: Machine, provider: StandIn) -> None:
    def refuse(listing: Listing) -> Reply | None:
        return Reply(422, _ERROR) if listing.path == "/sms" else None

    machine.run("sync", "--json", "-v", "--replay-quarantine")
    machine.run("sync", "--reconcile")
    machine.run("sync", "--since", "2026-01-20", "-v")
    machine.run("status", "-v")
    machine.run("quarantine", "list", "--json")
    machine.run("build", "-vv")
    machine.run("report", "--month", MONTH, "--json")
    machine.run("query", "--csv", "select * from ops.sync_run")
    machine.run("query", "select * from duckdb_columns()")
    provider.spoil = refuse
    machine.run("sync", "-vv")
    machine.run("doctor", "--json")
    machine.run_dagster()
    machine.run("status")


def test_the_planted_strings_are_found_nowhere_whatever_was_run(machine: Machine) -> None:
    assert_all_was_run(machine)
    places = machine.found()
    assert {name: sorted(where) for name, where in places.items()} == {}


def assert_all_was_run(machine: Machine) -> None:
    """The commands did what they are for: there is something to be searched."""
    assert (machine.data_dir / "published" / "warehouse.duckdb").exists(), machine.printed
    assert list((machine.data_dir / "landing").rglob("*.parquet"))
    assert list((machine.data_dir / "reports").glob("*.xlsx"))
    assert list(machine.home.rglob("*.db"))
    synced = next(code for name, code in machine.codes.items() if name.startswith("sync"))
    assert synced == NEEDS_ATTENTION, machine.printed


def test_what_is_planted_would_be_found(tmp_path: Path) -> None:
    """The search is worth nothing if it finds nothing."""
    for plant in ALL:
        assert leaks(f"so {plant.text} it is", ALL) >= {plant.name}
        shown = b"".join(plant.row or ())
        assert not plant.row or plant.name in leaks(shown.decode(errors="replace"), [plant])
    (tmp_path / "file").write_bytes(PLANTS[0].text.encode("utf-16-le"))
    assert any(leaks(text, PLANTS[:1]) for _, text, _ in texts_of(tmp_path / "file"))


def test_there_are_as_many_plants_as_there_are_meant_to_be() -> None:
    assert len({plant.name for plant in ALL}) == len({plant.text for plant in ALL}) == len(ALL) >= 40
