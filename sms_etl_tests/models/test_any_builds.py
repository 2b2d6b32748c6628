"""Whatever happens between builds by day, they give the rows of a full one."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms_etl_tests.models.days import START, by_day, message, same_as_full
from sms_etl_tests.sql.warehouse_rows import Rows, copied_warehouse, empty_warehouse, keep

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "change", "move", "gone", "delete", "log", "time", "build"]),
        st.integers(0, 40),
        st.integers(0, 40),
    ),
    min_size=1,
    max_size=9,
)


ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu")
NOW = START + timedelta(days=10)


@pytest.fixture(scope="module")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Eight days of two messages each, some of them open, built in each time zone, to be copied."""
    folder = tmp_path_factory.mktemp("zones")
    found: dict[str, Path] = {}
    for number, zone in enumerate(ZONES):
        with empty_warehouse() as rows:
            rows.context(str(NOW), timezone=zone)
            for each in range(16):
                message(rows, each, status_code=100 if each % 3 else 0, dlr_code=each % 2)
            by_day(rows)
            found[zone] = keep(rows, folder / f"{number}.duckdb")
    return found


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, zone=st.sampled_from(ZONES))
def test_whatever_happens_between_builds_they_give_the_rows_of_a_full_one(
    built_in: dict[str, Path], steps: list[tuple[str, int, int]], zone: str
) -> None:
    with copied_warehouse(built_in[zone]) as rows:
        now = NOW
        for place, (kind, first, second) in enumerate(steps):
            now = take(rows, kind, first, second, place, now, zone)
        rows.context(str(now), timezone=zone)
        by_day(rows)
        assert same_as_full(rows)


def take(rows: Rows, kind: str, first: int, second: int, place: int, now: datetime, zone: str) -> datetime:
    """Do one thing that may happen between two builds; return what time it is then."""
    count = rows.one("select count(*) from raw.sms")
    one = f"uuid = (select uuid from raw.sms order by uuid limit 1 offset {first % count})"
    moment = START + timedelta(hours=7 * second)
    changed = f"changed_at = timestamp '{START + timedelta(days=20, seconds=place)}'"
    match kind:
        case "new":
            rows.sms(
                f"new {place}",
                created_at=moment,
                dlr_code=first % 3,
                delivery_at=now + timedelta(hours=first),
            )
        case "change":
            rows.connection.execute(f"update raw.sms set dlr_code = {second % 3}, {changed} where {one}")
        case "move":
            rows.connection.execute(f"update raw.sms set created_at = '{moment}', {changed} where {one}")
        case "gone":
            rows.connection.execute(f"update raw.sms set gone_at = '{moment}', {changed} where {one}")
        case "delete" if count > 1:
            rows.connection.execute(f"delete from raw.sms where {one}")
        case "log":
            rows.connection.execute(
                f"insert into raw.sms_change by name select uuid, timestamp '{moment}' as observed_at, "
                f"'settle' as observed_by, 100 as status_code, {second % 2} as dlr_code, 'EUR' as currency "
                f"from raw.sms where {one}"
            )
        case "time":
            now += timedelta(hours=first)
            rows.context(str(now), timezone=zone)
        case "build":
            rows.context(str(now), timezone=zone)
            by_day(rows)
    return now
