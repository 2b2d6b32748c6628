"""Shows the whole way on a sandbox account: sync, let some days pass, sync again, analytics, report."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sms_etl.errors import WrongAccount
from sms_etl.files import make_directory
from sms_etl.finance.report import ReportResult, write_report
from sms_etl.pipeline import PipelineResult, sync_build_publish
from sms_etl.sandbox import traffic
from sms_etl.sandbox.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.sandbox.switches import SandboxSwitches
from sms_etl.settings import Settings
from sms_etl.sync.engine import Progress
from sms_etl.warehouse.read import published
from sms_etl.warehouse.store import Warehouse

DAYS_BETWEEN = 4
"""Within SMS_ETL_SETTLE_DAYS, and long enough for late delivery reports."""
_DAYS_AFTER = 30
"""How long the sandbox goes on after the demo, for `sms-etl ui`."""
_PAGE_SIZE = 100
_STATE_FILE = "sandbox.sqlite"

_COST_CENTRES = (
    (traffic.LOGIN_KEY, "IT-100", "login codes"),
    (traffic.SHOP_KEY, "SALES-200", "orders and appointments"),
    (traffic.LOGISTICS_KEY, "LOG-300", "parcels"),
    (traffic.MARKETING_KEY, "MKT-400", "campaigns"),
)
"""One key is left out, as happens: its messages are `unassigned`."""

_COST_BY_COUNTRY = """
select country_name, sum(messages), sum(parts), round(sum(cost), 2) as cost
from marts.cost_monthly group by all order by cost desc limit 8
"""
_DELIVERY = """
select sum(delivered) / nullif(sum(messages) - sum(open), 0), 1 - sum(open) / sum(messages)
from marts.delivery_daily
"""
_IN_WAREHOUSE = "select count(*), sum(price), any_value(currency) from raw.sms"


@dataclass(frozen=True)
class DemoResult:
    """What a demo showed."""

    first: PipelineResult
    second: PipelineResult
    days: int
    """Between the two syncs, on the sandbox's clock."""
    messages: int
    matches_provider: bool
    """Whether count and exact sum of prices are what the sandbox says of itself."""
    currency: str
    delivery_rate: float
    share_settled: float
    cost_by_country: list[tuple[str, int, int, Decimal]]
    report: ReportResult
    warehouse: Path
    next_steps: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {
            "first": self.first.as_json(),
            "second": self.second.as_json(),
            "messages": self.messages,
            "matches_provider": self.matches_provider,
            "warehouse": str(self.warehouse),
            "report": str(self.report.html),
            "workbook": str(self.report.xlsx),
        }


def run_demo(settings: Settings, *, messages: int, progress: Progress | None = None) -> DemoResult:
    """Run the demo in the data directory; an earlier demo there is replaced.

    Args:
        settings: A token in them is not used: the demo never talks to a real account.
        messages: How many the account has when the first sync begins.
        progress: Is told how far it is.

    Raises:
        WrongAccount: The data directory holds a real account's warehouse.
    """
    _make_room(settings)
    now = settings.clock().replace(microsecond=0)
    account = AccountParameters(
        messages=messages, end=now - timedelta(days=DAYS_BETWEEN), days_after=_DAYS_AFTER
    )
    _name_cost_centres(settings)
    with _sandbox(settings, account) as provider:
        first = sync_build_publish(_at(settings, provider), progress=_named("1st", progress))
        provider.advance(timedelta(days=DAYS_BETWEEN))
        later = _at(settings, provider)
        second = sync_build_publish(later, progress=_named("2nd", progress))
        truth = provider.truth()
    return _sum_up(later, first, second, truth)


def demo_sandbox_state(settings: Settings) -> Path:
    """Give the file the demo's sandbox keeps its state in."""
    return settings.data_dir / _STATE_FILE


def with_sandbox(settings: Settings, provider: SandboxHandle) -> Settings:
    """Give the settings of somebody whose account is the sandbox's."""
    return settings.model_copy(
        update={"lox24_base_url": provider.url, "lox24_token": SecretStr(provider.token)}
    )


def _named(sync: str, progress: Progress | None) -> Progress | None:
    """Tell the two syncs' progress apart."""
    if progress is None:
        return None
    return lambda step, done, total: progress(f"{sync} sync: {step}", done, total)


@contextmanager
def _sandbox(settings: Settings, account: AccountParameters) -> Iterator[SandboxHandle]:
    switches = SandboxSwitches(page_size=_PAGE_SIZE)
    with running_sandbox(state=demo_sandbox_state(settings), account=account, switches=switches) as provider:
        yield provider


def _at(settings: Settings, provider: SandboxHandle) -> Settings:
    return with_sandbox(settings, provider).model_copy(update={"now": provider.now()})


def _make_room(settings: Settings) -> None:
    """Remove what an earlier demo left; refuse to touch anything else."""
    make_directory(settings.data_dir)
    state, warehouse = demo_sandbox_state(settings), Warehouse.of(settings).path
    if warehouse.exists() and not state.exists():
        raise WrongAccount(
            f"{warehouse} holds a real account's messages; a demo would replace it.",
            hint="Give the demo its own directory: SMS_ETL_DATA_DIR=data/demo sms-etl demo",
        )
    landed = settings.landing_dir.rglob("*.parquet")
    for path in (state, warehouse, warehouse.with_name(warehouse.name + ".wal"), *landed):
        path.unlink(missing_ok=True)


def _name_cost_centres(settings: Settings) -> None:
    """Give the sandbox's API keys cost centres, as a company would; an own file stays."""
    path = settings.data_dir / "seeds" / "cost_centres.csv"
    if not path.exists():
        make_directory(path.parent)
        rows = (f"{key},{name},{use}\n" for key, name, use in _COST_CENTRES)
        path.write_text("key_id,cost_centre,description\n" + "".join(rows), encoding="utf-8")


def _sum_up(
    settings: Settings, first: PipelineResult, second: PipelineResult, truth: dict[str, Any]
) -> DemoResult:
    with published(settings) as connection:
        count, price, currency = connection.execute(_IN_WAREHOUSE).fetchone() or (0, None, "")
        rate, settled = connection.execute(_DELIVERY).fetchone() or (0, 0)
        month = last_whole_month(settings)
        report = write_report(connection, month, settings.reports_dir, generated_at=settings.clock())
        by_country = connection.execute(_COST_BY_COUNTRY).fetchall()
    return DemoResult(
        first=first,
        second=second,
        days=DAYS_BETWEEN,
        messages=count,
        matches_provider=count == truth["messages"] and price == Decimal(truth["price_sum"]),
        currency=currency,
        delivery_rate=float(rate or 0),
        share_settled=float(settled or 0),
        cost_by_country=by_country,
        report=report,
        warehouse=Warehouse.of(settings).path,
        next_steps=_next_steps(settings, report, month),
    )


def last_whole_month(settings: Settings) -> str:
    """Give the business month before this one, as YYYY-MM."""
    first_of_this: datetime = settings.clock().astimezone(settings.zone).replace(day=1)
    return f"{first_of_this - timedelta(days=1):%Y-%m}"


def _next_steps(settings: Settings, report: ReportResult, month: str) -> tuple[str, ...]:
    return (
        f"report      {report.html}",
        f"workbook    {report.xlsx}",
        f"warehouse   {Warehouse.of(settings).path}",
        f"for queries {settings.published_path} (read-only, never in the way of a sync)",
        "",
        "sms-etl status",
        'sms-etl query "select * from marts.delivery_daily order by business_day desc limit 10"',
        f"sms-etl report --month {month}",
        "make ui     # Dagster: the assets, their columns, checks and schedule",
    )
