"""`quarantine` as a person meets it."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run, insert_bad_rows, the_object
from sms_etl_tests.warehouse.test_migrations import make_version_1


@pytest.fixture
def waiting(run: Run, account: dict[str, str], provider: SandboxHandle) -> Run:
    """Runs commands on a data directory with three rows in quarantine, two of them bad for one reason."""
    insert_bad_rows(provider, {"price": -1}, {"price": -2}, {"uuid": None})
    assert run("sync", "--no-build", **account).exit_code == 3
    return run


def listed(run: Run, *words: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = the_object(run("quarantine", "list", "--json", *words))["rows"]
    return rows


def test_quarantine_list_shows_what_tells_a_row_apart_and_nothing_personal(waiting: Run) -> None:
    said = " ".join(waiting("quarantine", "list").stdout.split())
    assert "2 of sms: Negative, but documented as at least 0 - at `$.price`" in said
    assert "1 of sms: Expected `str`, got `null` - at `$.uuid`" in said
    assert "-2 EUR" in said
    assert "3 rows wait. `sms-etl sync --replay-quarantine`" in said
    values = the_object(waiting("quarantine", "list", "--json"))
    assert values["quarantine_open"] == 3
    assert {row["price"] for row in values["rows"]} == {"-1", "-2", "0.056"}
    assert all(row["created_at"].endswith("+00:00") for row in values["rows"])
    assert "12345678" not in said + str(values)
    assert not {"raw", "phone", "text"} & values["rows"][0].keys()


def test_accepting_every_row_lets_status_and_sync_end_with_0_and_is_recorded(waiting: Run) -> None:
    ids = [row["quarantine_id"] for row in listed(waiting)]
    said = waiting("quarantine", "accept", ids[0], "--reason", " a credit note ").stdout
    assert "1 accepted; 2 rows wait" in " ".join(said.split())
    assert waiting("status").exit_code == 3
    values = the_object(waiting("quarantine", "accept", ids[1][:8], ids[2], "--reason", "tests", "--json"))
    assert values == {"accepted": ids[1:], "quarantine_open": 0}
    assert waiting("status").exit_code == 0
    assert waiting("sync", "--no-build").exit_code == 0
    assert "The quarantine is empty" in waiting("quarantine", "list").stdout
    assert listed(waiting) == []
    closed = {row["quarantine_id"]: row["accepted_reason"] for row in listed(waiting, "--all")}
    assert closed == {ids[0]: "a credit note", ids[1]: "tests", ids[2]: "tests"}
    assert "accepted 2026-01-31: a credit note" in " ".join(
        waiting("quarantine", "list", "--all").stdout.split()
    )


def test_the_published_copy_shows_what_was_accepted_after_the_next_sync(waiting: Run) -> None:
    waiting("sync")
    count = "select count(*) from marts.quarantined_rows where accepted_at is not null"
    waiting("quarantine", "accept", listed(waiting)[0]["quarantine_id"], "--reason", "a test")
    waiting("sync")
    assert the_object(waiting("query", "--json", count))["rows"] == [[1]]


def test_accept_all_like_closes_what_is_bad_for_the_same_reason(waiting: Run) -> None:
    negative = next(row["quarantine_id"] for row in listed(waiting) if row["price"] == "-1")
    waiting("quarantine", "accept", negative, "--all-like", "--reason", "credit notes")
    assert [row["reason"] for row in listed(waiting)] == ["Expected `str`, got `null` - at `$.uuid`"]


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("00000000-0000-0000-0000-000000000000", "--reason", "x"), 1, "No open row in quarantine"),
        (("zzz", "--reason", "x"), 1, "No open row in quarantine"),
        ((" ", "--reason", "x"), 1, "No open row in quarantine"),
        (("ID", "zzz", "--reason", "x"), 1, "No open row in quarantine"),
        (("ID",), 2, "--reason"),
        (("ID", "--reason", ""), 2, "say why"),
        (("ID", "--reason", "  "), 2, "say why"),
        (("--reason", "x"), 2, "ID"),
    ],
)
def test_accept_refuses_what_is_not_clear_and_changes_nothing(
    waiting: Run, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    id_ = listed(waiting)[0]["quarantine_id"]
    result = waiting("quarantine", "accept", *(id_ if word == "ID" else word for word in words))
    assert result.exit_code == exit_code
    assert said in result.stderr
    assert len(listed(waiting)) == 3


def test_the_beginning_of_several_ids_is_refused(waiting: Run, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        id_ = "cast('1234567' || rowid || '-0000-0000-0000-000000000000' as uuid)"
        connection.execute(f"update ops.quarantine set quarantine_id = {id_}")
    result = waiting("quarantine", "accept", "1234", "--reason", "x")
    assert (result.exit_code, len(listed(waiting))) == (1, 3)
    assert "3 rows begin with 1234." in result.stderr


def test_a_row_that_was_accepted_is_not_accepted_twice(waiting: Run) -> None:
    id_ = listed(waiting)[0]["quarantine_id"]
    assert waiting("quarantine", "accept", id_, "--reason", "first").exit_code == 0
    assert waiting("quarantine", "accept", id_, "--reason", "second").exit_code == 1
    [row] = [row for row in listed(waiting, "--all") if row["quarantine_id"] == id_]
    assert row["accepted_reason"] == "first"


@pytest.mark.parametrize("words", [("list",), ("accept", "1", "--reason", "x")])
def test_quarantine_without_a_warehouse_says_what_to_do(run: Run, words: tuple[str, ...]) -> None:
    result = run("quarantine", *words)
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr


@pytest.mark.parametrize("words", [("status",), ("quarantine", "list")])
def test_a_warehouse_of_an_older_version_is_refused_until_it_is_brought_up_to_date(
    run: Run, account: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    make_version_1(tmp_path / "data" / "warehouse.duckdb")
    result = run(*words)
    assert result.exit_code == 1
    assert "sms-etl sync" in result.stderr
    run("sync", "--no-build", **account)
    assert run(*words).exit_code == 0


def test_prices_with_binary_noise_are_loaded_and_counted(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    insert_bad_rows(provider, {"price": 0.21000000000000002}, {"price": 0.30000000000000004})
    result = run("sync", "--no-build", "--json", **account)
    assert result.exit_code == 0
    assert the_object(result)["prices_rounded"] == 2
    assert the_object(run("status", "--json"))["prices_rounded"] == 2
    assert "prices rounded" in run("status").stdout
