"""The largest amounts and counts that `raw.*` takes, and many of them: no model and no test overflows."""

from decimal import Decimal

import pytest

from sms_etl_tests.sql.warehouse_rows import Rows

LARGEST = Decimal("999999999999.999999")
MOST_PARTS = 2**31 - 1
MOST = 2**63 - 1
PARTS = (None, 0, 1, 3, MOST_PARTS)


@pytest.mark.parametrize("parts", PARTS)
def test_the_largest_price_has_a_price_per_part_whatever_its_parts(rows: Rows, parts: int | None) -> None:
    rows.sms(price=str(LARGEST), parts_count=parts)
    rows.sms("b", price=str(LARGEST), parts_count=1)
    rows.build()
    assert rows.one("select sum(cost) from marts.cost_daily") == 2 * LARGEST
    average = 2 * LARGEST / ((parts or 0) + 1)
    assert abs(rows.one("select average_price_per_part from marts.cost_daily") - average) < 1
    assert abs(rows.one("select average_price_per_part from marts.cost_monthly") - average) < 1


def test_many_of_the_largest_amounts_add_up_exactly(rows: Rows) -> None:
    rows.bulk(msg_total_count=MOST, msg_total_cost=str(LARGEST))
    rows.sms(price=str(LARGEST), parts_count=MOST_PARTS, bulk_id=rows.uuid("bulk"))
    rows.sms("b", price=str(LARGEST), parts_count=None)
    for _ in range(16):  # 131,072 messages of a trillion
        rows.connection.execute("insert into raw.sms select * replace (uuid() as uuid) from raw.sms")
    rows.build()
    count = 2 * 2**16
    for mart in ("cost_daily", "cost_monthly"):
        assert rows.select(f"select sum(messages), sum(cost), sum(parts) from marts.{mart}") == [
            (count, count * LARGEST, count // 2 * MOST_PARTS)
        ]
    assert rows.select("select cost, cost_difference, messages_difference from marts.fct_bulk") == [
        (count // 2 * LARGEST, (count // 2 - 1) * LARGEST, count // 2 - MOST)
    ]
    assert not {test for test in rows.failing() if "money" in test or "cost" in test}
