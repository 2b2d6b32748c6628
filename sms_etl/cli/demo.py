"""Runs `sms-etl demo`: syncs a sandbox account, lets some days pass, syncs again, and writes the report.

Everything is written to `<data dir>/demo`, which has its own warehouse, landing files, published copy and
reports; those of a real account are never opened. An earlier demo is replaced only if its warehouse says that
it is a sandbox's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from pydantic import SecretStr
from sqlalchemy import insert

from sms_etl.cli.dagster_told import tell_dagster
from sms_etl.cli.invocation import from_here, pasteable
from sms_etl.clock import as_utc
from sms_etl.defs.home import make_home
from sms_etl.errors import WrongAccount
from sms_etl.files import make_directory, open_private
from sms_etl.finance.report import ReportResult, write_report
from sms_etl.pipeline import PipelineResult, sync_build_publish
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life import traffic
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.sandbox.storage.statefile import StateFile
from sms_etl.settings import PREFIX, Settings
from sms_etl.sync.task import Progress
from sms_etl.warehouse import tables
from sms_etl.warehouse.file import why_not_opened
from sms_etl.warehouse.read import published
from sms_etl.warehouse.store import Warehouse

DAYS_BETWEEN = 4
"""Within SMS_ETL_SETTLE_DAYS, and long enough for late delivery reports."""
_DAYS_AFTER = 30
"""How long the sandbox goes on after the demo, for `sms-etl ui`."""
_PAGE_SIZE = 100
_FOLDER = "demo"
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
select sum(delivered) / nullif(sum(messages) - sum(open), 0), sum(open), sum(aged_out)
from marts.delivery_daily
"""
_DELIVERED_BY_DAY = (
    "select business_day, sum(messages) as messages, sum(delivered) as delivered "
    "from marts.delivery_daily group by all order by all desc limit 7"
)
_TABLES = """
select (select count(*) from duckdb_tables() where not internal)
    + (select count(*) from duckdb_views() where not internal)
"""
_HOLDS_A_SANDBOX = "select count(*) > 0 and coalesce(bool_and(is_sandbox), false) from ops.account"
_SUFFIXES = ("", ".wal", ".ledger", ".holds", ".campaigns", "-wal", "-shm", "-journal")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
_MAKING, _REPORTING = "making a sandbox account", "writing the report"
_IN_WAREHOUSE = "select count(*), sum(price), any_value(currency) from marts.fct_sms"


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
    without_final_status: int
    """Of the messages; most of them never get one."""
    aged_out: int
    """Of those without a final status: no longer re-fetched."""
    cost_by_country: list[tuple[str, int, int, Decimal]]
    report: ReportResult
    warehouse: Path
    published: Path
    next_steps: tuple[str, ...]
    """Commands to paste into the shell the demo was called from."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
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
    """Run the demo in `<data dir>/demo`; an earlier demo there is replaced.

    Args:
        settings: Those of a person who may have an account: neither its token nor its data are used.
        messages: How many the sandbox's account has when the first sync begins.
        progress: Is told how far it is.

    Raises:
        WrongAccount: What lies there is not known to be a sandbox's.
        WarehouseError: It cannot be read, or another program has it open.
        SettingsError: Another sandbox is running on it.
    """
    tell = progress or (lambda _step, _done, _total: None)
    tell(_MAKING, 0, None)
    used = demo_settings(settings)
    make_room(used)
    now = used.clock().replace(microsecond=0)
    account = AccountParameters(
        messages=messages, end=now - timedelta(days=DAYS_BETWEEN), days_after=_DAYS_AFTER
    )
    _name_cost_centres(used)
    with _sandbox(used, account) as provider:
        claim_for_sandbox(used, provider)
        tell(_MAKING, messages, messages)
        first = sync_build_publish(_at(used, provider), progress=_named("1st", progress)).or_raise()
        provider.advance(timedelta(days=DAYS_BETWEEN))
        later = _at(used, provider)
        second = sync_build_publish(later, progress=_named("2nd", progress)).or_raise()
        truth = provider.truth()
    tell(_REPORTING, 0, None)
    tell_dagster(make_home(later), second, "sms-etl demo")  # so that `sms-etl ui` shows what was made here
    result = _sum_up(later, first, second, truth, _next_steps(settings, last_whole_month(later)))
    tell(_REPORTING, 1, 1)
    return result


def demo_settings(settings: Settings) -> Settings:
    """Return the settings of the demo that lies below a data directory.

    What belongs to an account is left behind: its token, 2SMS's pair, its warehouse, its key, where it
    starts, where it is published to, and who is told of trouble. A data directory that is itself a demo's,
    as the demo's next steps name it, is used as it is.
    """
    folder = settings.data_dir if is_demo(settings) else settings.data_dir / _FOLDER
    of_an_account = (
        "lox24_token",
        "twosms_client_id",
        "twosms_client_secret",
        "warehouse",
        "pii_key",
        "start",
        "publish_to",
        "alert_webhook",
        "alert_smtp",
    )
    left = {**dict.fromkeys(of_an_account), "alert_to": ()}
    return settings.model_copy(update={"data_dir": folder, **left})


def is_demo(settings: Settings) -> bool:
    """Return whether a data directory is a demo's own."""
    return settings.data_dir.name == _FOLDER and demo_sandbox_state(settings).exists()


def demo_sandbox_state(settings: Settings) -> Path:
    """Return the file in a demo's directory that its sandbox keeps its state in."""
    return settings.data_dir / _STATE_FILE


def with_sandbox(settings: Settings, provider: SandboxHandle) -> Settings:
    """Return the settings of somebody whose account is the sandbox's."""
    return settings.model_copy(
        update={
            "lox24_base_url": provider.url,
            "lox24_token": SecretStr(provider.token),
            "twosms_base_url": provider.url,
            "twosms_client_id": provider.twosms_client_id,
            "twosms_client_secret": SecretStr(provider.twosms_client_secret),
        }
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


def make_room(settings: Settings) -> None:
    """Remove the warehouse, landing files and sandbox of an earlier demo; refuse to touch anything else.

    Args:
        settings: The demo's own.

    Raises:
        As `run_demo`.
    """
    make_directory(settings.data_dir)
    require_sandbox(settings)
    state, warehouse = demo_sandbox_state(settings), Warehouse.of(settings).path
    if state.exists():
        StateFile(state).close()  # refused, if it is something else or a sandbox runs on it
    for path in (state, warehouse):
        for suffix in _SUFFIXES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    for path in _landed(settings):
        path.unlink(missing_ok=True)


def require_sandbox(settings: Settings) -> None:
    """Refuse a demo's directory that holds anything not known to be a sandbox's.

    Raises:
        WrongAccount: It does.
        WarehouseError: A file in the place of the warehouse or its copy cannot be read.
    """
    warehouses = [path for path in (Warehouse.of(settings).path, settings.published_path) if path.exists()]
    for path in warehouses:
        if not _is_a_sandboxs(path):
            raise _not_a_sandboxs(path, settings)
    if not warehouses and _landed(settings):
        raise _not_a_sandboxs(settings.landing_dir, settings)


def claim_for_sandbox(settings: Settings, provider: SandboxHandle) -> None:
    """Say in a new warehouse that it is a sandbox's, before anything is loaded: a demo may replace it."""
    truth = provider.truth()
    with Warehouse.of(settings).begin() as transaction:
        transaction.sql.execute(
            insert(tables.account).values(
                account_id=str(truth["account_id"]),
                currency=truth["currency"],
                base_url=provider.url,
                first_seen_at=as_utc(provider.now()),
                is_sandbox=True,
            )
        )


def _landed(settings: Settings) -> list[Path]:
    return sorted(settings.landing_dir.rglob("*.parquet"))


def _is_a_sandboxs(path: Path) -> bool:
    """Return whether a warehouse file says that it is a sandbox's, or holds no table at all."""
    try:
        with duckdb.connect(str(path), read_only=True, config=_CONFIG) as connection:
            if connection.execute(_TABLES).fetchone() == (0,):
                return True
            return connection.execute(_HOLDS_A_SANDBOX).fetchone() == (True,)
    except (duckdb.CatalogException, duckdb.BinderException):  # another program's, or older than the column
        return False
    except duckdb.Error as exc:
        raise why_not_opened(exc, path) from exc


def _not_a_sandboxs(path: Path, settings: Settings) -> WrongAccount:
    return WrongAccount(
        f"{path} is not known to be a sandbox's: a demo would replace it.",
        hint=f"Nothing was changed. Move {settings.data_dir} away, "
        f"or name another data directory in {PREFIX}DATA_DIR.",
    )


def _name_cost_centres(settings: Settings) -> None:
    """Return the sandbox's API keys cost centres, as a company would; an own file stays."""
    path = settings.data_dir / "seeds" / "cost_centres.csv"
    if not path.exists():
        make_directory(path.parent)
        rows = (f"{key},{name},{use}\n" for key, name, use in _COST_CENTRES)
        with open_private(path) as file:
            file.write(("key_id,cost_centre,description\n" + "".join(rows)).encode())


def _sum_up(
    settings: Settings,
    first: PipelineResult,
    second: PipelineResult,
    truth: dict[str, Any],
    next_steps: tuple[str, ...],
) -> DemoResult:
    with published(settings) as connection:
        count, price, currency = connection.execute(_IN_WAREHOUSE).fetchone() or (0, None, "")
        rate, not_final, aged_out = connection.execute(_DELIVERY).fetchone() or (0, 0, 0)
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
        without_final_status=int(not_final or 0),
        aged_out=int(aged_out or 0),
        cost_by_country=by_country,
        report=report,
        warehouse=Warehouse.of(settings).path,
        published=settings.published_path,
        next_steps=next_steps,
    )


def last_whole_month(settings: Settings) -> str:
    """Return the business month before this one, as YYYY-MM."""
    first_of_this: datetime = settings.clock().astimezone(settings.zone).replace(day=1)
    return f"{first_of_this - timedelta(days=1):%Y-%m}"


def _next_steps(settings: Settings, month: str) -> tuple[str, ...]:
    used = demo_settings(settings)
    inside = {f"{PREFIX}DATA_DIR": from_here(used.data_dir)}
    if settings.warehouse:  # still set when the command is pasted, it would win over the folder
        inside[f"{PREFIX}WAREHOUSE"] = used.warehouse_url
    return (
        pasteable("status", environment=inside),
        pasteable("query", _DELIVERED_BY_DAY, environment=inside),
        pasteable("report", "--month", month, environment=inside),
        pasteable("ui", environment=inside),
    )
