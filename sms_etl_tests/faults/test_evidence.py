"""The checks of this suite can fail: each is shown a warehouse, or requests, with something to find."""

import re

import duckdb
import pytest

from sms_etl.settings import Settings
from sms_etl.sync.task import SyncResult
from sms_etl_tests import conftest
from sms_etl_tests.faults import counts, evidence
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.evidence import LandedWindow
from sms_etl_tests.faults.proxy import Asked
from sms_etl_tests.faults.rehearsal import Rehearsal
from sms_etl_tests.faults.tally import BEGIN, END, Tally, added_up, table_of, write_table

ONE = "(select uuid from raw.sms order by uuid limit 1)"
WAYS_TO_SPOIL = {
    "a message lost": (f"delete from raw.sms where uuid = {ONE}", "live messages are missing"),
    "a message twice": (f"insert into raw.sms from raw.sms where uuid = {ONE}", "holds a uuid twice"),
    "a price changed": (f"update raw.sms set price = price + 1 where uuid = {ONE}", None),
    "a first sighting lost": (f"delete from raw.sms_change where uuid = {ONE}", "without a first sighting"),
    "a change twice": (
        "insert into raw.sms_change by name "
        "select * replace (observed_at + interval 1 second as observed_at) "
        f"from raw.sms_change where uuid = {ONE}",
        "a change that changed nothing",
    ),
    "a change lost": (
        f"update raw.sms_change set dlr_code = 77 where uuid = {ONE}",
        "the last change is not",
    ),
    "a watermark too far": (
        "update ops.watermark set watermark_at = watermark_at + interval 1 hour",
        "the watermark is not",
    ),
    "a landed file not loaded": (
        "delete from ops.fetch_window where stream = 'sms'",
        "landed and not loaded",
    ),
}


@pytest.fixture
def loaded(rehearsal_of: RehearsalOf) -> Rehearsal:
    rehearsal = rehearsal_of("the checks themselves", messages=30)
    assert isinstance(rehearsal.sync(), SyncResult)
    return rehearsal


def spoil(settings: Settings, sql: str) -> None:
    with duckdb.connect(str(evidence.warehouse_of(settings))) as connection:
        connection.execute(sql)


@pytest.mark.parametrize("way", WAYS_TO_SPOIL)
def test_a_spoilt_warehouse_does_not_pass_for_right(way: str, loaded: Rehearsal) -> None:
    sql, complaint = WAYS_TO_SPOIL[way]
    spoil(loaded.base, sql)
    with pytest.raises(AssertionError, match=re.escape(complaint) if complaint else None):
        loaded.assert_right(loaded.base)


def page(since: int, until: int, path: str = "/sms") -> Asked:
    return Asked(2, f"{path}?created_at%5Bgte%5D={since}&created_at%5Blte%5D={until}&page=1", 0, "")


LANDED = [LandedWindow(0, 999, 990), LandedWindow(1000, 1999, 1990)]


@pytest.mark.parametrize(
    "asked",
    [[page(0, 5000)], [page(1000, 1999)], [page(1500, 1600)], [page(1889, 5000)]],
    ids=["from the start", "a landed window", "within one", "a second before the overlap"],
)
def test_asking_again_for_what_is_landed_is_noticed(asked: list[Asked]) -> None:
    with pytest.raises(AssertionError, match="asked again"):
        evidence.assert_nothing_landed_was_asked_again(asked, LANDED, 100)


@pytest.mark.parametrize(
    "asked",
    [[], [page(1890, 5000)], [page(2000, 5000)], [page(1890, 5000), page(1000, 1889)]],
    ids=["nothing", "the overlap", "what is new", "settlement, before what is read forward"],
)
def test_asking_for_what_may_be_asked_is_not_held_against_a_run(asked: list[Asked]) -> None:
    evidence.assert_nothing_landed_was_asked_again(asked, LANDED, 100)


def test_counts_add_up_by_heading_and_in_all() -> None:
    tallies = [Tally("stall", syncs=2, rows=1000), Tally("500", syncs=1), Tally("stall", syncs=3, rows=500)]
    added = added_up(tally.as_property() for tally in tallies)
    assert [(one.what, one.cases, one.syncs, one.rows) for one in added] == [
        ("stall", 2, 5, 1500),
        ("500", 1, 1, 0),
        ("all together", 3, 6, 1500),
    ]
    assert "| stall | 2 | 5 | 0 | 0 | 0 | 1,500 |" in table_of(added)


def test_the_counts_are_told_whatever_tests_the_command_line_names() -> None:
    for hook in (counts.pytest_runtest_logreport, counts.pytest_terminal_summary):
        assert vars(conftest)[hook.__name__] is hook


def test_the_table_takes_the_place_of_the_one_before(tmp_path_factory: pytest.TempPathFactory) -> None:
    document = tmp_path_factory.mktemp("docs") / "reliability.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_table(document, "new")
    assert document.read_text(encoding="utf-8") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    document.write_text("no place", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place"):
        write_table(document, "new")
