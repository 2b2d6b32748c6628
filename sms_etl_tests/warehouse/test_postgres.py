"""Holds that a real PostgreSQL gets the published marts: exactly, at one stroke, and never for ever wrong."""

import asyncio
import logging
from decimal import Decimal
from pathlib import Path

import asyncpg
import duckdb
import pytest

from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.further_copies import FurtherCopies, refresh_copies
from sms_etl.warehouse.postgres import PostgresCopy, target_of, type_of
from sms_etl_tests.postgres import PASSWORD, QUOTED, Database
from sms_etl_tests.warehouse.published_rows import FEBRUARY, ROWS, publish_rows

ALL = "select * from marts.fct_sms order by parts"


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> Settings:
    return load_settings(data_dir=tmp_path / "data", publish_to=database.url, publish_parquet=False)


def copied(settings: Settings) -> PostgresCopy:
    copies = refresh_copies(settings)
    assert copies.errors == ()
    assert isinstance(copies.postgres, PostgresCopy)
    return copies.postgres


def refused(settings: Settings) -> str:
    copies: FurtherCopies = refresh_copies(settings)
    [error] = copies.errors
    assert copies.postgres is None
    return error


def test_every_row_and_digit_arrives_with_types_comments_and_nulls(
    settings: Settings, database: Database
) -> None:
    publish_rows(settings)
    done = copied(settings)
    assert (done.parts, done.written, done.rows) == (4, 4, 6)
    with duckdb.connect(str(settings.published_path), read_only=True) as connection:
        expected = connection.execute(
            "select * replace (replace(sender_id, chr(0), '') as sender_id) from marts.fct_sms order by parts"
        ).fetchall()
    assert database.rows(ALL) == expected
    assert database.rows("select currency, sum(price) from marts.fct_sms group by 1 order by 1") == [
        ("EUR", Decimal("1000000000000.300000")),
        ("USD", None),
    ]
    types = database.rows(
        "select attname::text, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = 'marts.fct_sms'::regclass and attnum > 0 order by attnum"
    )
    assert types == [
        ("uuid", "uuid"),
        ("created_at", "timestamp without time zone"),
        ("business_day", "date"),
        ("currency", "text"),
        ("price", "numeric(18,6)"),
        ("sender_id", "text"),
        ("parts", "numeric(38,0)"),
        ("is_final", "boolean"),
    ]
    assert database.rows(
        "select obj_description('marts.fct_sms'::regclass), col_description('marts.fct_sms'::regclass, 5)"
    ) == [("One row a message; it's the newest state.", "whole message, net of VAT")]


def test_only_months_that_changed_are_loaded_again(settings: Settings, database: Database) -> None:
    publish_rows(settings)
    copied(settings)
    assert refresh_copies(settings) == FurtherCopies(), "and nothing without a new publication"
    publish_rows(settings, [*ROWS[:2], (FEBRUARY, "EUR", Decimal("0.3"), ""), *ROWS[3:]], at=2)
    done = copied(settings)
    assert (done.written, done.rows) == (1, 2)
    assert database.rows("select sum(price) from marts.fct_sms where business_day = '2026-02-01'") == [
        (Decimal("0.300000"),)
    ]
    publish_rows(settings, ROWS[:2], at=3)
    assert copied(settings).written == 0
    assert database.rows("select count(*) from marts.fct_sms") == [(2,)]


def test_what_others_built_on_a_table_goes_on_working(settings: Settings, database: Database) -> None:
    publish_rows(settings)
    copied(settings)
    database.rows("create role analyst")
    database.rows("grant select on marts.fct_sms to analyst")
    database.rows("create view public.spent as select sum(price) from marts.fct_sms")
    publish_rows(
        settings, ROWS[:3], at=2, sql="alter table marts.fct_sms add column encoding varchar default 'gsm7'"
    )
    copied(settings)
    assert database.rows("select * from public.spent") == [(Decimal("1000000000000.299999"),)]
    assert database.rows("select distinct encoding from marts.fct_sms") == [("gsm7",)]
    assert database.rows("select has_table_privilege('analyst', 'marts.fct_sms', 'select')") == [(True,)]
    database.rows("drop owned by analyst")
    database.rows("drop role analyst")


def test_a_column_that_a_view_needs_and_that_changed_is_told_and_the_next_run_is_not_stuck(
    settings: Settings, database: Database
) -> None:
    publish_rows(settings)
    copied(settings)
    database.rows("create view public.senders as select sender_id from marts.fct_sms")
    publish_rows(settings, at=2, sql="alter table marts.fct_sms drop column sender_id")
    assert "a view or another object there" in refused(settings)
    assert database.rows("select count(sender_id) from public.senders") == [(4,)], "it has what it had"
    database.rows("drop view public.senders")
    copied(settings)
    assert len(database.rows(ALL)[0]) == 7


def test_a_type_that_changed_and_a_table_that_is_gone_follow(settings: Settings, database: Database) -> None:
    publish_rows(settings)
    copied(settings)
    publish_rows(
        settings,
        at=2,
        sql="alter table marts.fct_sms alter price type decimal(38, 9); drop table marts.dim_country",
    )
    copied(settings)
    assert database.rows("select max(price) from marts.fct_sms") == [(Decimal("999999999999.999999000"),)]
    assert database.rows("select to_regclass('marts.dim_country') is null") == [(True,)]


def test_a_table_that_somebody_dropped_comes_back(settings: Settings, database: Database) -> None:
    publish_rows(settings)
    copied(settings)
    database.rows("drop table marts.fct_sms")
    publish_rows(settings, at=2)
    assert copied(settings).rows == len(ROWS)
    assert len(database.rows(ALL)) == len(ROWS)


def test_a_reader_waits_for_nothing_and_sees_the_old_rows_until_all_new_ones_are_there(
    settings: Settings, database: Database
) -> None:
    publish_rows(settings)
    copied(settings)
    publish_rows(settings, ROWS[:1], at=2)
    counted = "select (select count(*) from marts.fct_sms), (select count(*) from marts.dim_country)"

    async def read_meanwhile() -> list[tuple[int, ...]]:
        reader = await asyncpg.connect(database.url)
        writer = asyncio.get_running_loop().run_in_executor(None, refresh_copies, settings)
        seen = []
        async with reader.transaction(isolation="repeatable_read"):
            seen.append(tuple(await reader.fetchrow(counted, timeout=10)))
            assert (await asyncio.wait_for(writer, 20)).errors == (), "it waits for no reader"
            seen.append(tuple(await reader.fetchrow(counted, timeout=10)))
        seen.append(tuple(await reader.fetchrow(counted, timeout=10)))
        await reader.close()
        return seen

    assert asyncio.run(read_meanwhile()) == [(5, 1), (5, 1), (1, 1)]


# --- what goes wrong is told, and the next run makes it good ---


def test_a_server_that_is_down_is_told_without_a_password_and_the_next_run_catches_up(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    publish_rows(settings)
    database.server.stop()
    try:
        with caplog.at_level(logging.DEBUG):
            said = refused(settings)
    finally:
        database.server.start()
    assert "cannot be reached" in said
    assert "next sync tries again" in caplog.text
    for secret in (PASSWORD, QUOTED):
        assert secret not in said + caplog.text
    assert copied(settings).rows == len(ROWS) + 1


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        (QUOTED, "wrong", "password authentication failed"),
        ("/postgres?", "/nowhere?", "does not exist"),
    ],
)
def test_a_refusal_says_why_without_the_password(
    settings: Settings, database: Database, replaced: str, by: str, said: str
) -> None:
    publish_rows(settings)
    url = database.url.replace(replaced, by)
    wrong = load_settings(data_dir=settings.data_dir, publish_to=url, publish_parquet=False)
    error = refused(wrong)
    assert said in error
    assert by == "/nowhere?" or by not in error.replace(str(database.server.folder), "")


def test_a_table_of_somebody_else_is_never_touched(settings: Settings, database: Database) -> None:
    database.rows("create schema marts")
    database.rows("create table marts.fct_sms as select 'theirs' as word")
    publish_rows(settings)
    assert "sms_etl has not made" in refused(settings)
    assert database.rows("select word from marts.fct_sms") == [("theirs",)]
    assert database.rows("select to_regclass('marts.dim_country') is null") == [(True,)], "all or nothing"
    database.rows("alter table marts.fct_sms rename to fct_theirs")
    copied(settings)


def test_the_copy_of_another_account_is_never_replaced(settings: Settings, database: Database) -> None:
    publish_rows(settings)
    copied(settings)
    publish_rows(settings, [], at=2, account="8")
    assert "another account" in refused(settings)
    assert len(database.rows(ALL)) == len(ROWS)


def test_a_load_that_is_cut_off_leaves_the_old_copy(settings: Settings, database: Database) -> None:
    publish_rows(settings)
    copied(settings)
    database.rows("alter table marts.fct_sms add constraint small check (price < 5) not valid")
    publish_rows(settings, [*ROWS, (FEBRUARY, "EUR", Decimal(7), "hush")], at=2)
    said = refused(settings)
    assert "23514" in said
    assert "hush" not in said
    assert len(database.rows(ALL)) == len(ROWS)
    database.rows("alter table marts.fct_sms drop constraint small")
    copied(settings)
    assert len(database.rows(ALL)) == len(ROWS) + 1


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("postgresql://me:secret@db.example:5433/sms", "db.example:5433/sms"),
        ("postgres://db.example/sms?sslmode=require", "db.example/sms"),
        ("postgresql://me:secret@/sms?host=/run/postgresql", "/run/postgresql/sms"),
        ("postgresql:///sms", "the default socket/sms"),
    ],
)
def test_a_target_is_named_without_user_and_password(url: str, target: str) -> None:
    assert target_of(url) == target


def test_types_that_have_no_counterpart_become_text() -> None:
    assert type_of("DECIMAL(9,4)") == "numeric(9,4)"
    assert [type_of(name) for name in ("JSON", "VARCHAR[]", "INTERVAL", "VARCHAR")] == ["text"] * 4
