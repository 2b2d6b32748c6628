"""Some days of messages, built by day and compared with a full build: what tests of models by day share."""

from datetime import datetime, timedelta
from typing import Any

from sms_etl.models.project import Project
from sms_etl.models.runner import BuildResult, Rebuild, build
from sms_etl.models.selection import selected
from sms_etl_tests.sql.warehouse_rows import Rows, package_project

BY_DAY = (
    "marts.fct_sms",
    "marts.delivery_daily",
    "marts.cost_daily",
    "marts.delivery_hourly",
    "marts.delivery_funnel",
    "marts.delivery_latency",
    "marts.failure_reasons",
    "marts.focus_cost_and_usage",
    "marts.sender_health",
    "marts.encoding_waste",
    "intermediate.int_bulk_traffic_daily",
    "intermediate.int_codes_daily",
    "intermediate.int_figure_changes_daily",
    "intermediate.int_logged_codes_daily",
    "intermediate.int_odd_bills",
    "intermediate.int_sms_daily",
    "intermediate.int_usual_price",
    "intermediate.int_traffic_daily",
    "intermediate.int_traffic_hourly",
    "intermediate.int_unpriced_daily",
)
DAYS = 12
START = datetime(2026, 1, 1)


def message(rows: Rows, number: int, **fields: object) -> None:
    created = START + timedelta(hours=12 * number)
    rows.sms(str(number), **{"created_at": created, **fields})
    rows.change(str(number), str(created + timedelta(minutes=1)))


def by_day(rows: Rows, rebuild: Rebuild = Rebuild.BY_DAY, project: Project | None = None) -> BuildResult:
    """Build what is by day and what it is made of: all models would take three times as long."""
    found = project or package_project()
    chosen = selected(found, [f"+{name}" for name in BY_DAY if name in found.models])
    return build(rows.connection, found, select=chosen, rebuild=rebuild)


def digest(rows: Rows) -> list[tuple[Any, ...]]:
    select = "select count(*), bit_xor(hash(m)), sum(hash(m)) from {} as m"
    return rows.select(" union all ".join(select.format(name) for name in BY_DAY))


def same_as_full(rows: Rows) -> bool:
    built = digest(rows)
    build(rows.connection, package_project(), select=BY_DAY)
    return built == digest(rows)


def days_of(result: BuildResult) -> dict[str, list[str]]:
    return {part.model: [str(day) for day in part.days] for part in result.parts}
