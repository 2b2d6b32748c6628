"""Holds that a provider that changes its format is told from single bad rows, and loses nothing by it."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from sms_etl.clock import to_unix
from sms_etl.errors import FormatChanged, Unavailable
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.landing.files import StagedFile
from sms_etl.sync.landing.format_watch import MOST_BAD_ROWS, FormatWatch
from sms_etl.sync.landing.writer import write_staged
from sms_etl.sync.streams import SMS
from sms_etl.sync.task import Task
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask, assert_messages_equal, warehouse_of
from sms_etl_tests.providers.lox24.rows import HIDDEN, ROW, raw
from sms_etl_tests.sync.manifests import manifest_of
from sms_etl_tests.sync.reformatting import (
    Reformatting,
    Rewrite,
    booleans_as_numbers,
    dates_as_iso,
    integers_as_text,
    prices_as_text,
    reformatting,
)

NewSettings = Callable[[], Settings]


@pytest.fixture
def changing(provider: SandboxHandle) -> Iterator[Reformatting]:
    with reformatting(provider) as changing:
        yield changing


@pytest.fixture
def settings(changing: Reformatting, settings_at: SettingsAt) -> NewSettings:
    """Settings for the provider behind its proxy, at its moment."""
    return lambda: settings_at(changing.provider).model_copy(update={"lox24_base_url": changing.proxy.url})


FORMATS = pytest.mark.parametrize(
    ("rewrite", "said"),
    [
        (dates_as_iso, r"Expected `int.*`, got `str` - at `\$\.(created|delivery|gateway_sent)_at`"),
        (prices_as_text, r"Not a number - at `\$\.price`"),
        (integers_as_text, r"Expected `int.*`, got `str` - at `\$\.\w+`"),
        (booleans_as_numbers, r"Expected `bool.*`, got `int` - at `\$\.is_sent`"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)


@FORMATS
def test_a_first_sync_of_a_changed_format_says_so_each_time_and_loads_all_once_it_is_right(
    changing: Reformatting, settings: NewSettings, rewrite: Rewrite, said: str
) -> None:
    changing.write(rewrite)
    for _ in range(2):
        with pytest.raises(FormatChanged, match=said) as caught:
            run_sync(settings())
        assert "300 rows of /sms" in caught.value.message
    assert ask(settings(), "select count(*) from ops.watermark where stream = 'sms'") == [(0,)]
    assert ask(settings(), "select count(*) from ops.quarantine") == [(0,)]
    assert list((settings().landing_dir / "sms").iterdir()) == []
    changing.write_as_documented()
    result = run_sync(settings())
    assert result.quarantine_open == 0
    assert_messages_equal(warehouse_of(settings()), changing.provider.truth_sms())


@FORMATS
def test_a_format_that_changes_later_leaves_the_watermark_where_it_is(
    changing: Reformatting, settings: NewSettings, rewrite: Rewrite, said: str
) -> None:
    watermark = run_sync(settings()).watermark_after
    start = to_unix(changing.provider.now())
    changing.provider.insert(*({"created_at": start + number} for number in range(MOST_BAD_ROWS)))
    changing.provider.advance(timedelta(hours=2))
    changing.write(rewrite)
    with pytest.raises(FormatChanged, match=said):
        run_sync(settings())
    assert ask(settings(), "select watermark_at from ops.watermark where stream = 'sms'") == [(watermark,)]
    changing.write_as_documented()
    run_sync(settings())
    assert_messages_equal(warehouse_of(settings()), changing.provider.truth_sms())


def test_the_error_quotes_no_value_and_is_recorded_as_it_is(
    changing: Reformatting, settings: NewSettings
) -> None:
    changing.write(lambda row: row | {"price": "4917612345678 for Ann"})
    with pytest.raises(FormatChanged) as caught:
        run_sync(settings())
    [(reason, error)] = ask(settings(), "select stopped_reason, error from ops.sync_run")
    assert (reason, error) == ("FormatChanged", caught.value.message)
    assert "49176" not in str(caught.value)


def test_fewer_bad_rows_wait_in_quarantine_until_they_are_right(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert(*({"created_at": now - number} for number in range(MOST_BAD_ROWS - 1)))
    with reformatting(empty_provider) as changing:
        changing.write(dates_as_iso)
        settings = settings_at(empty_provider).model_copy(update={"lox24_base_url": changing.proxy.url})
        first, second = run_sync(settings), run_sync(settings)
        assert (first.rows_quarantined, first.quarantine_open) == (99, 99)
        assert (second.rows_quarantined, second.quarantine_open) == (0, 99)
        changing.write_as_documented()
        third = run_sync(settings)
    assert (third.rows_new, third.quarantine_open) == (99, 0)
    assert ask(settings, "select count(*) from ops.quarantine where replayed_at is null") == [(0,)]


@pytest.mark.parametrize("good_at", [-300, 150, 300], ids=["first", "between", "last"])
def test_one_good_row_shows_that_the_format_is_the_same_and_the_others_go_to_quarantine(
    empty_provider: SandboxHandle, settings_at: SettingsAt, good_at: int
) -> None:
    start = to_unix(empty_provider.now()) - 600
    bad = [{"created_at": start + number, "extra": {"iso2": "XKX"}} for number in range(250)]
    [good] = empty_provider.insert({"created_at": start + good_at})
    empty_provider.insert(*bad)
    settings = settings_at(empty_provider)
    result = run_sync(settings)
    assert (result.rows_new, result.rows_quarantined) == (1, 250)
    assert ask(settings, "select cast(uuid as varchar) from raw.sms") == [(good,)]
    assert run_sync(settings).quarantine_open == 250


def test_a_bulk_of_bad_rows_after_a_good_sync_is_no_change_of_format(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert({"created_at": now - 86400})
    run_sync(settings_at(empty_provider))
    empty_provider.insert(*({"created_at": now, "extra": {"iso2": "XKX"}} for _ in range(150)))
    assert run_sync(settings_at(empty_provider)).quarantine_open == 150


def test_a_replay_of_many_rows_that_are_still_bad_is_no_change_of_format(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert({"created_at": now})
    empty_provider.insert(*({"created_at": now, "extra": {"iso2": "XKX"}} for _ in range(150)))
    settings = settings_at(empty_provider)
    run_sync(settings)
    result = run_sync(settings, Task(is_replaying_quarantine=True))
    assert (result.rows_seen, result.rows_quarantined, result.quarantine_open) == (150, 0, 150)


def test_a_format_that_changes_is_also_told_by_the_messages_that_settle(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert({"created_at": now})
    empty_provider.insert(*({"created_at": now - 7200, "status_code": 100} for _ in range(150)))
    with reformatting(empty_provider) as changing:
        settings = settings_at(empty_provider).model_copy(update={"lox24_base_url": changing.proxy.url})
        run_sync(settings)
        changing.write(booleans_as_numbers)
        with pytest.raises(FormatChanged, match="151 rows"):
            run_sync(settings)
        changing.write_as_documented()
        result = run_sync(settings)
    assert (result.rows_changed, result.quarantine_open) == (0, 0)


# --- the watch alone ---


def aside(folder: Path, *, good: int = 0, bad: int = 0) -> StagedFile:
    rows = [raw(ROW)] * good + [raw(ROW, price='"1"')] * bad
    page = msgspec.json.encode([msgspec.Raw(row) for row in rows])
    return write_staged(folder, SMS.layout, manifest_of(), page, (), HIDDEN)


async def given(*asides: StagedFile, error: Exception | None = None) -> AsyncIterator[StagedFile]:
    for each in asides:
        yield each
    if error:
        raise error


async def test_windows_come_in_their_order_whatever_is_held_back(tmp_path: Path) -> None:
    asides = [
        aside(tmp_path),
        aside(tmp_path, bad=60),
        aside(tmp_path),
        aside(tmp_path, bad=60),
        aside(tmp_path, good=1, bad=2),
        aside(tmp_path, bad=200),
    ]
    watch = FormatWatch("/sms")
    assert [each async for each in watch.passed(given(*asides))] == asides
    more = aside(tmp_path, bad=200)
    assert [each async for each in watch.passed(given(more))] == [more]


async def test_what_a_run_reads_in_several_steps_counts_together(tmp_path: Path) -> None:
    watch = FormatWatch("/sms")
    few = aside(tmp_path, bad=60)
    assert [each async for each in watch.passed(given(few))] == [few]
    with pytest.raises(FormatChanged, match="120 rows of /sms"):
        [each async for each in watch.passed(given(aside(tmp_path, bad=60)))]


async def test_a_hundred_rows_of_which_none_is_good_are_a_change_of_format(tmp_path: Path) -> None:
    few = aside(tmp_path, bad=99)
    assert [each async for each in FormatWatch("/sms").passed(given(few))] == [few]
    with pytest.raises(FormatChanged, match=r"100 rows of /sms.*, each for the reason"):
        [each async for each in FormatWatch("/sms").passed(given(aside(tmp_path, bad=100)))]


async def test_a_window_without_bad_rows_is_passed_on_before_the_next_one_is_read(tmp_path: Path) -> None:
    first = aside(tmp_path)
    passed = FormatWatch("/sms").passed(given(first, error=Unavailable("It is out of order.")))
    assert await anext(passed) is first


@pytest.mark.parametrize("bad", [1, 200])
async def test_what_is_held_when_reading_fails_is_dropped_and_the_failure_is_told(
    tmp_path: Path, bad: int
) -> None:
    with pytest.raises(Unavailable):
        [
            each
            async for each in FormatWatch("/sms").passed(
                given(aside(tmp_path, bad=bad), error=Unavailable("It is out of order."))
            )
        ]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
