"""A provider that differs from what its documentation suggests: found out at the first sync, kept, and read
all the same, or refused aloud; and looked at again when it changes back."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import pytest

from sms_etl.cli import doctor
from sms_etl.errors import BadRequest, ProviderDiffers
from sms_etl.providers.lox24.client import Answer, Lox24Client, read_account
from sms_etl.settings import Settings, load_settings
from sms_etl.sync import parts
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import SyncResult, Task
from sms_etl_tests.provider_truth import ask, assert_messages_equal, warehouse_of
from sms_etl_tests.providers.lox24.rows import ROW
from sms_etl_tests.sync.provider_model import ACCOUNT, Asked, ModelProvider, Row

BEGINNING = 1_767_225_600
Obedience = Literal["obeyed", "ignored", "rejected", "last only"]


@dataclass(frozen=True, slots=True)
class Ways:
    """How a provider answers; the defaults are as assumed."""

    page_size: int = 6
    are_lower_bounds_inclusive: bool = True
    are_upper_bounds_inclusive: bool = True
    is_time_obeyed: bool = True
    order: Literal["asc", "desc"] = "asc"
    totals: Literal["exact", "missing", "too many"] = "exact"
    total_cap: int | None = None
    prefix: str = "hydra:"
    uuids: Obedience = "obeyed"
    bulk_uuids: Obedience = "obeyed"
    has_next_behind: bool = False
    clamps_pages: bool = False
    """Whether the last page is answered for every page behind it."""


class DifferingProvider(ModelProvider):
    """Messages and bulks in memory, answered in ways of its own."""

    def __init__(self, rows: Sequence[dict[str, Any]], ways: Ways, bulks: Sequence[Row] = ()) -> None:
        super().__init__(lambda: self.rows, lambda: ways.page_size)
        self.rows, self.bulks, self.ways = list(rows), list(bulks), ways

    def _answer(self, asked: Asked) -> object:
        if asked.path == "/me":
            return ACCOUNT
        is_bulks = asked.path.startswith("/bulks")
        rows = self.bulks if is_bulks else self.rows
        if asked.path not in {"/sms", "/bulks"}:
            return super()._answer(asked)
        return self._listing(
            self._meeting(rows, asked, self.ways.bulk_uuids if is_bulks else self.ways.uuids), asked
        )

    def _meeting(self, rows: Sequence[Row], asked: Asked, obedience: Obedience) -> list[Row]:
        uuids = [value for name, value in asked.query if name == "uuid[]"]
        if uuids and obedience == "rejected":
            raise BadRequest("uuid[] is not known here.", status=400)
        if uuids and obedience != "ignored":
            rows = [row for row in rows if row["uuid"] in (uuids[-1:] if obedience == "last only" else uuids)]
        if self.ways.is_time_obeyed:
            rows = [row for row in rows if all(self._holds(row, name, value) for name, value in asked.query)]
        return sorted(
            rows, key=lambda row: (row["created_at"], row["uuid"]), reverse=self.ways.order == "desc"
        )

    def _holds(self, row: Row, name: str, value: str) -> bool:
        field_name, _, form = name.removesuffix("]").partition("[")
        if form == "gte":
            return bool(row[field_name] > int(value) - self.ways.are_lower_bounds_inclusive)
        if form == "lte":
            return bool(row[field_name] < int(value) + self.ways.are_upper_bounds_inclusive)
        return True

    def _listing(self, rows: Sequence[Row], asked: Asked) -> dict[str, object]:
        ways, page = self.ways, int(dict(asked.query).get("page", 1))
        if ways.clamps_pages:
            page = min(page, max(1, -(-len(rows) // ways.page_size)))
        start = (page - 1) * ways.page_size
        total = len(rows) if ways.total_cap is None else min(len(rows), ways.total_cap)
        listing: dict[str, object] = {f"{ways.prefix}member": rows[start : start + ways.page_size]}
        if ways.totals != "missing":
            listing[f"{ways.prefix}totalItems"] = total * (1000 if ways.totals == "too many" else 1)
        if ways.has_next_behind:
            listing[f"{ways.prefix}view"] = {f"{ways.prefix}next": "/sms?page=2"}
        return listing


OPEN = {"status_code": 0, "dlr_code": 0, "is_sent": False}
SETTLED = {"status_code": 100, "dlr_code": 1, "is_sent": True}


def messages(count: int, *, every: int = 7, first: int = BEGINNING, **fields: Any) -> list[dict[str, Any]]:
    return [
        ROW
        | {
            "uuid": f"00000000-0000-4000-8000-{number:012d}",
            "created_at": first + number * every,
            "price": 1,
        }
        | SETTLED
        | fields
        for number in range(count)
    ]


@dataclass
class Rehearsal:
    """A data directory, and a provider whose ways may change between two syncs."""

    data_dir: Path
    provider: DifferingProvider
    now: datetime = field(default_factory=lambda: datetime.fromtimestamp(BEGINNING + 86_400, tz=UTC))

    @property
    def settings(self) -> Settings:
        return load_settings(data_dir=self.data_dir, lox24_token="1:model", now=self.now)

    @contextmanager
    def asked(self) -> Iterator[None]:
        def client(*_arguments: Any, **_options: Any) -> Lox24Client:
            return self.provider

        self.provider.asked.clear()
        with patch.object(parts, "Lox24Client", client), patch.object(doctor, "Lox24Client", client):
            yield

    def sync(self, task: Task | None = None) -> SyncResult:
        with self.asked():
            return run_sync(self.settings, task)

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def facts(self) -> dict[str, str]:
        return {
            str(name): str(value)
            for name, value in ask(self.settings, "select fact, value from ops.provider_fact")
        }

    def assert_equal(self) -> None:
        assert_messages_equal(warehouse_of(self.settings), self.provider.rows)


Rehearse = Callable[..., Rehearsal]


@pytest.fixture
def rehearse(tmp_path: Path) -> Rehearse:
    def begin(
        rows: Sequence[dict[str, Any]] | None = None, bulks: Sequence[Row] = (), **ways: Any
    ) -> Rehearsal:
        rows = messages(300) if rows is None else rows
        return Rehearsal(tmp_path / "data", DifferingProvider(rows, Ways(**ways), bulks))

    return begin


SLOWER: dict[str, tuple[dict[str, Any], str, str]] = {
    "both bounds are exclusive": (
        {"are_lower_bounds_inclusive": False, "are_upper_bounds_inclusive": False},
        "bounds",
        "exclusive",
    ),
    "the lower bound is exclusive": ({"are_lower_bounds_inclusive": False}, "bounds", "exclusive"),
    "the upper bound is exclusive": ({"are_upper_bounds_inclusive": False}, "bounds", "exclusive"),
    "newest first whatever is asked": ({"order": "desc"}, "order", "ignored"),
    "no totals": ({"totals": "missing"}, "totals", "missing"),
    "totals that are a thousand times too large": ({"totals": "too many"}, "totals", "wrong"),
    "totals that stop at 100": ({"total_cap": 100}, "totals", "capped"),
    "totals that stop at a page": ({"total_cap": 6}, "totals", "capped"),
    "uuid[] ignored": ({"uuids": "ignored"}, "sms_uuid_filter", "ignored"),
    "uuid[] refused": ({"uuids": "rejected"}, "sms_uuid_filter", "rejected"),
    "of uuid[] only the last counts": ({"uuids": "last only"}, "sms_uuid_filter", "ignored"),
}


@pytest.mark.parametrize(("ways", "name", "value"), SLOWER.values(), ids=SLOWER)
def test_what_differs_is_found_out_kept_and_read_and_settled_by_a_slower_way(
    ways: dict[str, Any], name: str, value: str, rehearse: Rehearse
) -> None:
    rehearsal = rehearse([*messages(20, **OPEN), *messages(300)[20:]], **ways)
    assert rehearsal.sync().stopped_reason == "done"
    rehearsal.assert_equal()
    assert rehearsal.facts()[name] == value
    differing = ask(rehearsal.settings, "select fact from ops.provider_fact where not is_as_assumed")
    assert (name,) in differing
    for row in rehearsal.provider.rows[:20]:
        row.update(SETTLED)
    rehearsal.provider.rows += messages(1400)[1360:]
    rehearsal.later(hours=1)
    result = rehearsal.sync()
    assert (result.rows_new, result.rows_changed) == (40, 20)
    rehearsal.assert_equal()


@pytest.mark.parametrize(
    "ways",
    [{}, {"prefix": ""}, {"has_next_behind": True}, {"clamps_pages": True}],
    ids=["as assumed", "no prefix", "a next on every page", "the last page again behind it"],
)
def test_what_makes_no_difference_is_read_as_ever(ways: dict[str, Any], rehearse: Rehearse) -> None:
    rehearsal = rehearse(messages(95), **ways)
    rehearsal.sync()
    rehearsal.assert_equal()
    assert ask(rehearsal.settings, "select fact from ops.provider_fact where not is_as_assumed") == []


def test_a_sync_that_finds_facts_probes_nothing(rehearse: Rehearse) -> None:
    rehearsal = rehearse(page_size=100)
    rehearsal.sync()
    first = len(rehearsal.provider.asked)
    rehearsal.later(hours=2)
    rehearsal.sync()
    assert len(rehearsal.provider.asked) <= 5 + 3  # all of it lies within the overlap: three pages more
    assert first > len(rehearsal.provider.asked)


def test_a_provider_that_obeys_no_time_is_refused_before_anything_is_loaded(rehearse: Rehearse) -> None:
    rehearsal = rehearse(is_time_obeyed=False)
    with pytest.raises(ProviderDiffers, match="does not obey the filter created_at"):
        rehearsal.sync()
    assert ask(rehearsal.settings, "select count(*) from raw.sms") == [(0,)]
    rehearsal.provider.ways = Ways()
    rehearsal.sync()
    rehearsal.assert_equal()


CHANGES: dict[str, dict[str, Any]] = {
    "totals begin to stop at 100": {"total_cap": 100},
    "totals become too large": {"totals": "too many"},
    "totals go": {"totals": "missing"},
    "uuid[] is no longer obeyed": {"uuids": "ignored"},
    "uuid[] is no longer taken": {"uuids": "rejected"},
    "no time is obeyed any more": {"is_time_obeyed": False},
    "rows come newest first": {"order": "desc"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_provider_that_changes_loses_nothing_and_the_run_after_an_error_is_whole(
    change: dict[str, Any], rehearse: Rehearse
) -> None:
    open_ones = messages(30, **OPEN)
    rehearsal = rehearse([*open_ones, *messages(200)[30:]])
    rehearsal.sync()
    rehearsal.provider.rows += messages(700)[500:]
    for row in rehearsal.provider.rows[:30]:
        row.update(SETTLED)
    rehearsal.provider.ways = Ways(**change)
    rehearsal.later(days=1)
    for _ in range(2):
        try:
            rehearsal.sync()
        except ProviderDiffers:
            rehearsal.later(hours=12)
        else:
            break
    if change.get("is_time_obeyed", True):
        rehearsal.assert_equal()
    rehearsal.provider.ways = Ways()
    rehearsal.later(days=1)
    rehearsal.sync()
    rehearsal.assert_equal()


def test_once_a_day_a_slower_way_is_tried_for_whether_it_is_still_needed(rehearse: Rehearse) -> None:
    rehearsal = rehearse(totals="missing")
    rehearsal.sync()
    rehearsal.provider.ways = Ways()
    rehearsal.later(hours=23)
    rehearsal.sync()
    assert rehearsal.facts()["totals"] == "missing"
    rehearsal.later(hours=2)
    rehearsal.sync()
    assert rehearsal.facts()["totals"] == "exact"


def test_an_account_without_a_message_is_probed_when_the_first_one_is_there(rehearse: Rehearse) -> None:
    rehearsal = rehearse([], uuids="ignored")
    rehearsal.sync()
    assert rehearsal.facts() == {}
    rehearsal.provider.rows += messages(30)
    rehearsal.sync()
    assert rehearsal.facts()["sms_uuid_filter"] == "ignored"
    rehearsal.assert_equal()


def test_a_total_far_beyond_what_pages_hold_costs_few_requests(rehearse: Rehearse) -> None:
    rehearsal = rehearse(messages(50), totals="too many")
    rehearsal.sync()
    rehearsal.assert_equal()
    assert len(rehearsal.provider.asked) <= 60
    assert ask(rehearsal.settings, "select count(*) from raw.sms") == [(50,)]


def test_reconciling_without_totals_counts_what_the_pages_hold(rehearse: Rehearse) -> None:
    rehearsal = rehearse(messages(300, every=60), totals="missing")
    rehearsal.sync()
    del rehearsal.provider.rows[100:103]
    rehearsal.later(hours=30)
    assert rehearsal.sync(Task(reconcile_days=3)).differences == 1
    rehearsal.assert_equal()


# --- doctor ---


def findings(rehearsal: Rehearsal) -> dict[str, doctor.Finding]:
    with rehearsal.asked(), patch.object(doctor, "_account_and_date", _no_date):
        return {found.subject: found for found in doctor.examine(rehearsal.settings)}


def _no_date(answer: Answer) -> tuple[Any, None]:
    return read_account(answer), None


def test_doctor_shows_what_was_found_and_the_next_sync_goes_by_it(rehearse: Rehearse) -> None:
    rehearsal = rehearse()
    rehearsal.sync()
    rehearsal.provider.ways = replace(rehearsal.provider.ways, are_upper_bounds_inclusive=False)
    found = findings(rehearsal)["bounds of a span"]
    assert found.is_ok
    assert "a second more is asked for" in found.says
    assert rehearsal.facts()["bounds"] == "exclusive"


def test_doctor_says_that_nothing_can_be_loaded_where_the_time_is_not_obeyed(rehearse: Rehearse) -> None:
    found = findings(rehearse(is_time_obeyed=False))["listings"]
    assert not found.is_ok
    assert "does not obey the filter created_at" in found.says


def test_doctor_says_that_nothing_can_be_loaded_where_no_message_can_be_read(rehearse: Rehearse) -> None:
    found = findings(rehearse(messages(20, price="0,10")))["messages"]
    assert not found.is_ok
    assert found.says.startswith("None of the 6 messages looked at can be read: Not a number")
    assert "0,10" not in json.dumps(found.as_json())


def test_doctor_says_that_there_is_nothing_to_probe_in_an_empty_account(rehearse: Rehearse) -> None:
    found = findings(rehearse([]))["listings"]
    assert found.is_ok
    assert "no message to probe with yet" in found.says
