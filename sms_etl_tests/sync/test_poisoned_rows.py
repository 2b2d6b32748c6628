"""One bad row in the midst of thousands: the others are loaded, it waits in quarantine, nothing is stuck."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sms_etl.clock import system_clock, to_unix
from sms_etl.errors import ProviderDiffers, WindowUnstable
from sms_etl.providers.lox24.bodies import MAX_BODY_BYTES
from sms_etl.providers.lox24.client import Lox24Client
from sms_etl.settings import Settings, load_settings
from sms_etl.sync import fetch
from sms_etl.sync.engine import run_sync
from sms_etl.sync.landing.writer import write_staged
from sms_etl.sync.plan import Span
from sms_etl.sync.streams import SMS
from sms_etl.sync.task import SyncResult, Task
from sms_etl_tests.provider_truth import ask
from sms_etl_tests.providers.lox24.rows import HIDDEN
from sms_etl_tests.sync.manifests import manifest_of
from sms_etl_tests.sync.raw_provider import (
    BEGINNING,
    RawProvider,
    Stored,
    row,
    running_raw_provider,
    uuid_of,
)

Poison = Callable[[int], list[Stored]]
"""Answers the n-th row otherwise."""


@pytest.fixture
def provider() -> Iterator[RawProvider]:
    with running_raw_provider() as provider:
        yield provider


def written(**literals: str) -> Poison:
    return lambda number: [row(number, BEGINNING + number, **literals)]


def shown_as(body: Callable[[Stored], bytes]) -> Poison:
    return lambda number: [row(number).answering(body(row(number)))]


def long_text(size: int) -> str:
    return f'"{"x" * size}"'


OUTSIDE = "Outside the time that was asked for - at `$.created_at`"
TWICE = "Another row of the same listing has the same value - at `$.uuid`"
LATEST = "Expected `int` <= 253402300799 - at `$.created_at`"
DEEP = "Nested deeper than 100 levels"
KEPT = "kept"
"""The row is right, whatever it looks like."""

POISONS: dict[str, tuple[Poison, str]] = {
    "a time in milliseconds": (written(created_at=str(BEGINNING * 1000)), LATEST),
    "a time before 1970": (written(created_at="-5"), "Expected `int` >= 1 - at `$.created_at`"),
    "a time of the year 9999": (written(created_at="253402300799"), OUTSIDE),
    "a time of the year 1970": (written(created_at="5"), OUTSIDE),
    "a time of 2^70": (written(created_at=str(2**70)), LATEST),
    "a time with a fraction": (
        written(created_at="1767225600.5"),
        "Expected `int`, got `float` - at `$.created_at`",
    ),
    "a time as text": (written(created_at='"soon"'), "Expected `int`, got `str` - at `$.created_at`"),
    "a time of null": (written(created_at="null"), "Expected `int`, got `null` - at `$.created_at`"),
    "no time": (
        shown_as(lambda row: json.dumps({"uuid": row.uuid}).encode()),
        "Object missing required field `created_at`",
    ),
    "no uuid": (
        shown_as(lambda row: json.dumps({"created_at": row.second}).encode()),
        "Object missing required field `uuid`",
    ),
    "a uuid that is none": (written(uuid='"no"'), "Not a uuid - at `$.uuid`"),
    "a uuid that is empty": (written(uuid='""'), "Not a uuid - at `$.uuid`"),
    "990 levels": (written(new="[" * 990 + "]" * 990), DEEP),
    "150 levels": (written(new="[" * 150 + "]" * 150), KEPT),
    "100,000 levels": (written(new='{"a":' * 10**5 + "1" + "}" * 10**5), DEEP),
    "a raw control character": (written(text='"\x01"'), "Not JSON - at `$.text`"),
    "a bad escape": (written(text=r'"\q"'), "Not JSON - at `$.text`"),
    "bytes that are not UTF-8": (written(text='"\udcff"'), "Not UTF-8"),
    "half a character": (written(text=r'"\ud83d"'), KEPT),
    "zeros before a number": (written(price="007.5"), "Not JSON - at `$.price`"),
    "a plus before a number": (written(price="+1"), "Not JSON - at `$.price`"),
    "a number in base 16": (written(price="0x10"), "Not JSON - at `$.price`"),
    "a number that is none": (written(price="NaN"), "Not JSON - at `$.price`"),
    "a number beyond all numbers": (
        written(price="1e400"),
        "More than twelve digits before the point - at `$.price`",
    ),
    "a name twice": (shown_as(lambda row: row.body[:-1] + b',"price":1.5}'), KEPT),
    "null": (shown_as(lambda _: b"null"), "Expected `object`, got `null`"),
    "a number": (shown_as(lambda _: b"3"), "Expected `object`, got `int`"),
    "a list": (shown_as(lambda _: b"[1]"), "Expected `object`, got `array`"),
    "a text": (shown_as(lambda _: b'"x"'), "Expected `object`, got `str`"),
    "a word": (shown_as(lambda _: b"nul"), "Not JSON"),
    "17 MB": (written(text=long_text(MAX_BODY_BYTES + 1)), "Too large for an answer of 16 MiB"),
}
"""By what is wrong: how the row is answered, and why it cannot be loaded."""
COPIES: dict[str, Poison] = {
    "twice": lambda number: [row(number), row(number)],
    "twice, differing": lambda number: [row(number), row(number, text='"other"')],
    "three times": lambda number: [row(number), row(number, text='"other"'), row(number)],
    "once right and once wrong": lambda number: [row(number), row(number, price="-1")],
    "in the case of its letters": lambda number: [
        row(number),
        row(number, uuid=f'"{uuid_of(number).upper()}"'),
    ],
}


@dataclass
class Read:
    """What became of an account, without a warehouse."""

    good: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    raws: list[str] = field(default_factory=list)


def read(provider: RawProvider, folder: Path, span: Span) -> Read:
    """Fetch and land a span."""
    found = Read()

    async def fetched() -> None:
        async with Lox24Client(provider.url, "1:x", system_clock, sleep=at_once) as client:
            async for window in fetch.windows(
                client, SMS, span, window_rows=5000, on_total=lambda _total: None
            ):
                assert window.span is not None
                manifest = manifest_of(
                    since=window.span.since,
                    until=window.span.until,
                    fetched_at=datetime.now(UTC),
                    pages=window.pages,
                    attempts=window.attempts,
                )
                rows = b"[%b]" % b",".join(window.rows)
                aside = write_staged(folder, SMS.layout, manifest, rows, (), HIDDEN)
                for each in pq.read_table(aside.path, columns=["uuid", "bad_reason", "bad_raw"]).to_pylist():
                    if each["bad_reason"] is None:
                        found.good.append(each["uuid"])
                    else:
                        found.reasons.append(each["bad_reason"])
                        found.raws.append(str(each["bad_raw"]))

    asyncio.run(fetched())
    return found


async def at_once(_seconds: float) -> None:
    """Wait for nothing."""


COUNT = 3000
SPAN = Span(BEGINNING - 100, BEGINNING + COUNT + 100)


def with_poison(poison: Poison, number: int, count: int) -> list[Stored]:
    return [each for at in range(count) for each in (poison(at) if at == number else [row(at)])]


@pytest.mark.parametrize(("poison", "reason"), POISONS.values(), ids=POISONS)
def test_a_bad_row_in_the_midst_of_three_thousand_is_set_aside_and_the_others_are_read(
    poison: Poison, reason: str, provider: RawProvider, tmp_path: Path
) -> None:
    provider.page_size = 100
    provider.rows = with_poison(poison, COUNT // 2, COUNT)
    found = read(provider, tmp_path, SPAN)
    others = [uuid_of(number) for number in range(COUNT) if number != COUNT // 2 or reason == KEPT]
    assert sorted(found.good) == others
    assert found.reasons == ([] if reason == KEPT else [reason])
    assert len(provider.requests) <= 40


@pytest.mark.parametrize(("poison", "reason"), POISONS.values(), ids=POISONS)
def test_bad_rows_at_both_ends_of_pages_and_of_the_window_fool_nobody(
    poison: Poison, reason: str, provider: RawProvider, tmp_path: Path
) -> None:
    edges = {0, 9, 10, 29}
    provider.rows = [each for at in range(30) for each in (poison(at) if at in edges else [row(at)])]
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert len(set(found.good)) == len(found.good) == 30 - 4 * (reason != KEPT)
    assert found.reasons == [reason] * (30 - len(found.good))


@pytest.mark.parametrize(("poison", "reason"), POISONS.values(), ids=POISONS)
def test_an_account_of_one_bad_row_is_read(
    poison: Poison, reason: str, provider: RawProvider, tmp_path: Path
) -> None:
    provider.rows = poison(5)
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert found.reasons == ([] if reason == KEPT else [reason])


@pytest.mark.parametrize("number", [9, 1500, 1599])
@pytest.mark.parametrize("copies", COPIES.values(), ids=COPIES)
def test_a_row_that_is_listed_more_than_once_is_loaded_once_and_its_copies_are_set_aside(
    copies: Poison, number: int, provider: RawProvider, tmp_path: Path
) -> None:
    provider.page_size = 100
    provider.rows = with_poison(copies, number, COUNT)
    found = read(provider, tmp_path, SPAN)
    assert sorted(found.good) == [uuid_of(number) for number in range(COUNT)]
    assert len(found.reasons) == len(copies(number)) - 1
    assert set(found.reasons) <= {TWICE, "Negative, but documented as at least 0 - at `$.price`"}
    assert len(provider.requests) <= 45


def test_a_row_that_is_on_two_pages_of_its_second_is_counted_by_its_uuid(
    provider: RawProvider, tmp_path: Path
) -> None:
    rows = [row(number, BEGINNING) for number in range(25)]
    provider.rows = [*rows, row(3, BEGINNING, text='"other"')]
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert sorted(found.good) == [uuid_of(number) for number in range(25)]
    assert found.reasons == [TWICE]


def test_a_row_that_only_seems_to_be_a_copy_while_another_is_missing_is_not_taken_for_one(
    provider: RawProvider, tmp_path: Path
) -> None:
    """Row 3 comes on both pages of its second, row 15 on none: as where ties have no stable order."""
    rows = [row(number, BEGINNING) for number in range(20)]
    provider.rows = rows
    provider.listed = lambda found: [
        rows[3] if each is rows[15] and len(found) > 1 else each for each in found
    ]
    with pytest.raises(WindowUnstable, match=r"1 of the 20 rows of /sms"):
        read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))


def test_rows_that_copies_have_pushed_behind_the_last_page_are_read_there(
    provider: RawProvider, tmp_path: Path
) -> None:
    """As where a join doubles rows and the total counts them once."""
    rows = [row(number) for number in range(20)]
    provider.rows = rows
    provider.listed = lambda found: [copy for each in found for copy in ([each] * (1 + (each is rows[7])))]
    provider.shown_total = lambda listed: str(listed - 1 if listed > 1 else listed)
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert sorted(found.good) == [uuid_of(number) for number in range(20)]
    assert found.reasons == [TWICE]


def test_a_bad_row_that_is_answered_beside_the_total_does_not_spoil_the_count(
    provider: RawProvider, tmp_path: Path
) -> None:
    provider.rows = [row(number) for number in range(20)]
    stranger = row(99, created_at="253402300799").body
    provider.added = lambda page, _query: [stranger, b"null"] if page and page[0].second == BEGINNING else []
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert len(found.good) == 20
    assert sorted(found.reasons) == ["Expected `object`, got `null`", OUTSIDE]


# --- strangers ---


def test_a_page_of_strangers_means_that_the_time_is_not_obeyed(provider: RawProvider, tmp_path: Path) -> None:
    rows = [row(number) for number in range(40)]
    provider.rows = [Stored(BEGINNING + 500, each.uuid, each.body) for each in rows]
    provider.page_size = 30
    with pytest.raises(ProviderDiffers, match="does not obey the filter created_at"):
        read(provider, tmp_path, Span(BEGINNING + 500, BEGINNING + 600))


def test_a_filter_that_is_not_obeyed_is_told_from_a_stranger_by_a_second_in_which_nothing_is(
    provider: RawProvider, tmp_path: Path
) -> None:
    provider.rows = [row(number) for number in range(4)]
    provider.is_time_obeyed = False
    with pytest.raises(ProviderDiffers, match="does not obey the filter created_at"):
        read(provider, tmp_path, Span(BEGINNING + 500, BEGINNING + 600))


# --- answers that are too large ---


def test_rows_that_are_too_large_together_are_read_in_smaller_windows(
    provider: RawProvider, tmp_path: Path
) -> None:
    large = long_text(MAX_BODY_BYTES // 5)
    provider.rows = [row(at, new=large if 40 <= at < 46 else "0") for at in range(60)]
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert (len(found.good), found.reasons) == (60, [])


def test_a_row_of_a_third_of_the_bound_is_loaded_though_its_page_is_too_large(
    provider: RawProvider, tmp_path: Path
) -> None:
    large = long_text(MAX_BODY_BYTES // 3)
    provider.rows = [row(at, new=large if at in {11, 12, 13} else "0") for at in range(20)]
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert (len(found.good), found.reasons) == (20, [])


def test_of_rows_of_one_second_that_are_too_large_together_those_that_have_no_place_are_set_aside(
    provider: RawProvider, tmp_path: Path
) -> None:
    rows = [row(at, BEGINNING) for at in range(7)]
    large = row(8, BEGINNING, new=long_text(MAX_BODY_BYTES + 1))
    provider.rows = [*rows, large, row(9, BEGINNING)]
    found = read(provider, tmp_path, Span(BEGINNING, BEGINNING + 100))
    assert (len(found.good), found.reasons) == (8, ["Too large for an answer of 16 MiB"])


# --- whole syncs ---


@dataclass
class Account:
    """A data directory and the provider."""

    data_dir: Path
    provider: RawProvider
    now: int = BEGINNING + 3600

    @property
    def settings(self) -> Settings:
        return load_settings(
            data_dir=self.data_dir,
            lox24_token="1:x",
            lox24_base_url=self.provider.url,
            now=datetime.fromtimestamp(self.now, tz=UTC),
        )

    def sync(self, task: Task | None = None) -> SyncResult:
        return run_sync(self.settings, task)

    def count(self) -> tuple[Any, ...]:
        [counts] = ask(self.settings, "select count(*), count(distinct uuid), max(created_at) from raw.sms")
        return counts


@pytest.fixture
def account(provider: RawProvider, tmp_path: Path) -> Account:
    return Account(tmp_path / "data", provider)


def all_poisons(begin: int) -> list[Stored]:
    """Return a row a poison, each between two good ones."""
    rows: list[Stored] = []
    poisons = [poison for poison, reason in POISONS.values() if reason != KEPT] + list(COPIES.values())
    for number, poison in enumerate(poisons):
        rows += [row(begin + 2 * number), *poison(begin + 2 * number + 1)]
    return rows


def test_every_poison_at_once_costs_no_good_row_and_the_next_healthy_sync_is_clean(account: Account) -> None:
    account.provider.page_size = 30
    begin = 200
    poisoned = [*(row(number) for number in range(begin)), *all_poisons(begin)]
    are_bad = [reason for _, reason in POISONS.values() if reason != KEPT]
    end = begin + 2 * (len(are_bad) + len(COPIES))
    poisoned += [row(number) for number in range(end, end + 50)]
    account.provider.rows = poisoned
    first = account.sync()
    bad = len(are_bad)
    newest = datetime.fromtimestamp(BEGINNING + end + 49, tz=UTC).replace(tzinfo=None)
    # A year of 1970 is a time like another where all there is was asked for: it is no stranger here.
    assert first.quarantine_open == bad - 1 + len(COPIES)
    assert account.count() == (end + 50 - bad + 1, end + 50 - bad + 1, newest)
    assert first.watermark_after == newest
    again = account.sync()
    assert (again.rows_new, again.quarantine_open) == (0, bad + len(COPIES))

    account.provider.rows = [row(number) for number in range(end + 50)]
    account.now += 60
    healthy = account.sync()
    assert (healthy.stopped_reason, healthy.watermark_after) == ("done", newest)
    replayed = account.sync(Task(is_replaying_quarantine=True))
    assert replayed.quarantine_open == 0
    assert ask(account.settings, "select count(distinct uuid) from raw.sms") == [(end + 50,)]


def test_an_account_whose_only_new_row_is_of_the_year_9999_is_not_stuck(account: Account) -> None:
    account.provider.rows = [row(number) for number in range(30)]
    watermark = account.sync().watermark_after
    account.now += 86400
    account.provider.rows = [row(99, account.now - 9000, created_at="253402300799")]
    result = account.sync()
    assert (result.quarantine_open, result.watermark_after) == (1, watermark)
    replayed = account.sync(Task(is_replaying_quarantine=True))
    assert (replayed.rows_new, replayed.quarantine_open) == (0, 1)
    account.provider.rows = [row(99, account.now - 9000)]
    healthy = account.sync()
    assert (healthy.rows_new, healthy.quarantine_open) == (1, 0)
    assert healthy.watermark_after is not None
    assert to_unix(healthy.watermark_after.replace(tzinfo=UTC)) == account.now - 9000


def test_a_copy_stays_the_one_row_it_is_in_quarantine_while_it_is_listed(
    account: Account,
) -> None:
    account.provider.rows = [row(0), row(1), row(1, text='"other"'), row(2)]
    kept = [account.sync().rows_quarantined for _ in range(3)]
    assert kept == [1, 0, 0]
    assert ask(account.settings, "select count(*) from ops.quarantine") == [(1,)]
    account.provider.rows = [row(0), row(1), row(2)]
    assert account.sync().quarantine_open == 0


# --- totals ---

TOTALS: dict[str, Callable[[int], str]] = {
    "a million": lambda _: "1000000",
    "a million millions of millions": lambda _: str(10**18),
    "negative": lambda _: "-5",
    "as text": lambda total: f'"{total}"',
    "one too few": lambda total: str(max(0, total - 1)),
}


@pytest.mark.parametrize("shown", TOTALS.values(), ids=TOTALS)
def test_a_total_that_the_pages_belie_costs_few_requests_and_the_next_healthy_sync_is_whole(
    shown: Callable[[int], str], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.sync.landing.worker.ROWS_WORTH_A_PROCESS", 10**30)
    account.provider.rows = [row(number) for number in range(100)]
    account.provider.shown_total = shown
    for task in (None, Task(reconcile_days=1)):
        before = len(account.provider.requests)
        with suppress(ProviderDiffers):
            account.sync(task)
            assert account.count()[:2] == (100, 100)
        assert len(account.provider.requests) - before <= 150
    account.provider.shown_total = str
    account.sync()
    account.now += 2 * 86400  # the facts are probed anew
    account.provider.rows = [*account.provider.rows, *(row(each) for each in range(100, 200))]
    account.sync()
    assert account.count()[:2] == (200, 200)


@pytest.mark.parametrize("shown", [TOTALS["a million"], TOTALS["a million millions of millions"]])
@pytest.mark.parametrize("rows", [[row(at) for at in range(100)], [row(at, BEGINNING) for at in range(100)]])
def test_a_total_of_a_million_over_pages_that_never_end_is_an_error_after_few_requests(
    rows: Sequence[Stored], shown: Callable[[int], str], provider: RawProvider, tmp_path: Path
) -> None:
    provider.rows = rows
    provider.shown_total = shown
    provider.last_page = 10
    with pytest.raises(ProviderDiffers, match="contradicts itself"):
        read(provider, tmp_path, Span(BEGINNING, BEGINNING))
    assert len(provider.requests) <= 700
