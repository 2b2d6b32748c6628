"""marts.data_status: one row that says how far the data are, also before there are any."""

from decimal import Decimal
from typing import Any

from sms_etl_tests.sql.warehouse_rows import Rows

AT = "2026-01-12"


def status(rows: Rows) -> dict[str, Any]:
    answer = rows.execute("select * from marts.data_status")
    names = [column[0] for column in answer.description or ()]
    (row,) = answer.fetchall()
    return dict(zip(names, row, strict=True))


def quarantined(rows: Rows, **fields: object) -> None:
    known = {"quarantine_id": rows.uuid("q"), "run_id": rows.uuid("r"), "stream": "sms"}
    rows._insert("ops.quarantine", {**known, "quarantined_at": AT, "reason": "price", **fields})


def published(rows: Rows, at: str, reason: str | None = None) -> None:
    fields = {
        "published_at": at,
        "contents": "marts",
        "is_forced": reason is not None,
        "forced_reason": reason,
    }
    rows._insert("ops.publication", {**fields, "failed_tests": "[]"})


def test_an_empty_warehouse_has_its_row_too(rows: Rows) -> None:
    rows.build()
    found = status(rows)
    assert (found["read_up_to"], found["share_settled"], found["published_at"]) == (None, None, None)
    assert (found["quarantine_open"], found["is_sandbox"], found["is_forced"]) == (0, False, False)
    assert not rows.failing()


def test_it_says_how_far_was_read_and_how_much_is_final(rows: Rows) -> None:
    rows.sms("a")
    rows.sms("b")
    rows.sms("c", status_code=0, dlr_code=0)
    for stream, at in (("sms", "2026-01-11"), ("bulks", "2026-01-12")):
        rows._insert(
            "ops.watermark",
            {"stream": stream, "watermark_at": at, "run_id": rows.uuid("r"), "updated_at": at},
        )
    rows.build()
    found = status(rows)
    assert f"{found['read_up_to']:%Y-%m-%d}" == "2026-01-11"
    assert found["share_settled"] == Decimal("0.666667")


def test_what_was_replayed_or_accepted_is_not_open(rows: Rows) -> None:
    rows.build()
    quarantined(rows)
    quarantined(rows, replayed_at=AT)
    quarantined(rows, accepted_at=AT)
    assert status(rows)["quarantine_open"] == 1


def test_a_sandbox_says_so(rows: Rows) -> None:
    rows.build()
    account = {"account_id": "17", "currency": "EUR", "base_url": "http://127.0.0.1", "first_seen_at": AT}
    rows._insert("ops.account", {**account, "is_sandbox": True})
    found = status(rows)
    assert (found["is_sandbox"], found["account_id"], found["currency"]) == (True, "17", "EUR")


def test_it_speaks_of_the_last_publication_only(rows: Rows) -> None:
    rows.build()
    published(rows, "2026-01-10")
    published(rows, "2026-01-11", "the three rows are known")
    found = status(rows)
    assert (found["is_forced"], found["forced_reason"]) == (True, "the three rows are known")
    published(rows, "2026-01-12")
    found = status(rows)
    assert (found["is_forced"], found["forced_reason"]) == (False, None)
    assert f"{found['published_at']:%d}" == "12"
