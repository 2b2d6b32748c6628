"""What must hold after every run, whatever went wrong in it; each check fails with what it found.

Read from outside: the warehouse file, the landed files and the requests the proxy saw. The change log is
checked against what a replay of the landed files says should be in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from sms_etl.clock import from_unix, to_unix
from sms_etl.settings import Settings
from sms_etl.sync.landing.files import find_landed
from sms_etl.sync.streams import SMS
from sms_etl_tests.faults.proxy import Asked
from sms_etl_tests.provider_truth import rows_of

TRACKED = ("status_code", "dlr_code", "is_sent", "gateway_sent_at", "price", "is_text_deleted")
State = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LandedWindow:
    """A window of messages that lies in a file."""

    since: int
    until: int
    newest: int | None
    """`created_at` of its newest row."""


def warehouse_of(settings: Settings) -> Path:
    return settings.data_dir / "warehouse.duckdb"


def ask(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(warehouse_of(settings)), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def landed_windows(settings: Settings) -> list[LandedWindow]:
    """Return the windows of messages landed so far by reading forward, oldest first."""
    windows = []
    with duckdb.connect() as connection:
        for landed in find_landed(settings.landing_dir, SMS, but_not=set()).whole:
            facts = landed.manifest
            if facts.since is None or facts.until is None or not facts.advances_watermark:
                continue
            newest = connection.execute(
                "select max(created_at) from read_parquet(?) where bad_reason is null", [str(landed.path)]
            ).fetchall()[0][0]
            windows.append(
                LandedWindow(facts.since, facts.until, None if newest is None else to_unix(newest))
            )
    return sorted(windows, key=lambda window: (window.since, window.until))


def reached_by(windows: Iterable[LandedWindow]) -> int | None:
    """Return the newest row that was landed, in unix seconds."""
    return max((window.newest for window in windows if window.newest is not None), default=None)


def assert_nothing_landed_was_asked_again(
    asked: Sequence[Asked], landed: Sequence[LandedWindow], overlap_seconds: int
) -> None:
    """No page read going forward lies in a window landed by an earlier run, save in the overlap.

    A run begins with a look at all it will read forward; what it reads of earlier times is settlement.
    """
    reached = reached_by(landed)
    if reached is None:
        return
    again = []
    begins: int | None = None
    for one in asked:
        since, until = one.query.get("created_at[gte]"), one.query.get("created_at[lte]")
        if one.path != "/sms" or since is None or until is None:
            continue
        begins = int(since) if begins is None else begins
        if int(since) < begins:
            continue
        first, last = int(since), min(int(until), reached - overlap_seconds - 1)
        if first <= last and any(window.since <= last and first <= window.until for window in landed):
            again.append(one.target)
    assert not again, f"landed up to {reached}, and asked again: {sorted(set(again))[:5]}"


def assert_same_messages(settings: Settings, truth: Sequence[Mapping[str, Any]]) -> None:
    """No message of the provider is missing, and none it deleted passes for one that is there."""
    there = {message["uuid"] for message in truth}
    stored = rows_of(warehouse_of(settings), "raw.sms")
    missing = sorted(there - stored.keys())
    assert not missing, f"{len(missing)} live messages are missing: {missing[:5]}"
    left = {uuid: row for uuid, row in stored.items() if row["gone_at"] is None and uuid not in there}
    kept = [(uuid, row["created_at"], row["status_code"], row["dlr_code"]) for uuid, row in left.items()]
    assert not kept, f"{len(kept)} deleted messages are not marked gone: {kept[:5]}"


def assert_all_landed_is_loaded(settings: Settings) -> None:
    """Everything so far is kept: a run that fails leaves no landed file behind that it did not load."""
    landed = {landed.path.name for landed in find_landed(settings.landing_dir, SMS, but_not=set()).whole}
    loaded = {name for (name,) in ask(settings, "select landed from ops.fetch_window where stream = 'sms'")}
    assert landed <= loaded, f"landed and not loaded: {sorted(landed - loaded)}"


def assert_watermark_is_covered(settings: Settings, truth: Iterable[Mapping[str, Any]]) -> None:
    """Every message of the provider up to the watermark is in `raw.sms`; the watermark is that of a row."""
    stored = rows_of(warehouse_of(settings), "raw.sms")
    found = ask(settings, "select watermark_at from ops.watermark where stream = 'sms'")
    if not found:
        assert reached_by(landed_windows(settings)) is None, "rows were loaded without a watermark"
        return
    [(watermark,)] = found
    due = [message["uuid"] for message in truth if from_unix(message["created_at"]) <= watermark]
    missing = [uuid for uuid in due if uuid not in stored]
    assert not missing, f"before the watermark {watermark} but not loaded: {missing[:5]}"
    reached = reached_by(landed_windows(settings))
    assert reached is not None
    assert watermark == from_unix(reached), "the watermark is not the newest row that was landed"


def assert_change_log_is_whole(settings: Settings, *, is_replayed: bool = True) -> None:
    """No change is missing, none is there twice, and the last one is the row.

    Args:
        settings: Of the warehouse.
        is_replayed: Whether the landed files say what should be in it; not where a clock went back, since
            an observation that looks older is not taken.
    """
    logged: defaultdict[str, list[State]] = defaultdict(list)
    moments: defaultdict[str, list[datetime]] = defaultdict(list)
    columns = ", ".join(TRACKED)
    for uuid, moment, *state in ask(
        settings, f"select uuid, observed_at, {columns} from raw.sms_change order by uuid, observed_at"
    ):
        logged[str(uuid)].append(tuple(state))
        moments[str(uuid)].append(moment)
    stored = rows_of(warehouse_of(settings), "raw.sms")
    assert logged.keys() == stored.keys(), "messages without a first sighting, or changes of no message"
    for uuid, row in stored.items():
        states = logged[uuid]
        assert len(set(moments[uuid])) == len(states), f"{uuid}: two changes at one moment"
        assert moments[uuid][0] == row["first_seen_at"], f"{uuid}: its first sighting is not the first change"
        assert all(before != after for before, after in pairwise(states)), (
            f"{uuid}: a change that changed nothing: {states}"
        )
        assert states[-1] == tuple(row[name] for name in TRACKED), f"{uuid}: the last change is not its state"
    if is_replayed:
        expected = _replayed(settings)
        wrong = {uuid: (expected.get(uuid), was) for uuid, was in logged.items() if expected.get(uuid) != was}
        assert not wrong, f"landed and logged differ: {dict(list(wrong.items())[:3])}"


def _replayed(settings: Settings) -> dict[str, list[State]]:
    """Return the changes of each message as the landed files have seen them, in order of their reading."""
    states: dict[str, list[State]] = {}
    files = sorted(
        find_landed(settings.landing_dir, SMS, but_not=set()).whole,
        key=lambda landed: landed.manifest.fetched_at,
    )
    with duckdb.connect() as connection:
        for landed in files:
            rows = connection.execute(
                f"select uuid, {', '.join(TRACKED)} from read_parquet(?) "
                "where bad_reason is null and not is_gone",
                [str(landed.path)],
            ).fetchall()
            for uuid, *state in rows:
                seen = states.setdefault(str(uuid), [])
                if not seen or seen[-1] != tuple(state):
                    seen.append(tuple(state))
    return states
