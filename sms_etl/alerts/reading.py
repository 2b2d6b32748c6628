"""Reads what is wrong: how syncs and checks went from the warehouse, what figures show from its copy."""

import json
from collections.abc import Iterator

import duckdb

from sms_etl.alerts.incident import NOTHING, Incident, Open, Source
from sms_etl.errors import NoWarehouse, WarehouseLocked
from sms_etl.overview.attention import Finding, findings_by_kind
from sms_etl.overview.reading import read_overview
from sms_etl.settings import Settings
from sms_etl.warehouse.publication import NOT_BUILT, build_error
from sms_etl.warehouse.quarantine import count_open
from sms_etl.warehouse.read import published, unpublished

_LAST_SYNC = """
select stopped_reason, error, bulks_error, unknown_fields
from ops.sync_run where finished_at is not null order by started_at desc, rowid desc limit 1
"""
_FAILED = """
select model, test, severity, failures from ops.model_test
where failures > 0 and test <> $1 order by severity, model, test
"""
_UNCLEAR = "select key from ops.campaign where state = 'intended' order by asked_at"
_TOLD_BY_THE_WAREHOUSE = {"syncs", "quarantined", "checks", "later", "forced"}
"""Findings of the published copy that the warehouse itself knows, and sooner."""
_NAMING_SENDERS = {"departures"}
"""Findings whose text names senders, which may be numbers."""
_SEE_OVERVIEW = "The overview shows which: reports/overview.html in the data directory."
_FAILED_ROWS = 'sms-etl query --warehouse "select * from ops.failed_test_rows"'


def open_incidents(settings: Settings) -> Open:
    """Return what is wrong now, as far as it can be read.

    A source that something writes at this moment, or that is not there yet, is left out: nothing is known of
    its incidents.
    """
    return _of_syncs(settings) + _of_figures(settings)


def _of_syncs(settings: Settings) -> Open:
    try:
        with unpublished(settings) as connection:
            found = (*_sync(connection), *_checks(connection), *_campaigns(connection))
    except (WarehouseLocked, NoWarehouse):
        return NOTHING
    return Open(found, frozenset({Source.SYNC}))


def _of_figures(settings: Settings) -> Open:
    if not settings.published_path.exists():
        return NOTHING
    try:
        with published(settings) as connection:
            overview = read_overview(connection, now=settings.clock())
    except NoWarehouse:
        return NOTHING
    found = tuple(
        _told(kind, finding)
        for kind, several in findings_by_kind(overview)
        if kind not in _TOLD_BY_THE_WAREHOUSE
        for finding in several
    )
    return Open(found, frozenset({Source.FIGURES}))


def _told(kind: str, finding: Finding) -> Incident:
    text = _SEE_OVERVIEW if kind in _NAMING_SENDERS else finding.text
    return Incident(Source.FIGURES, kind, finding.title, text, finding.command, finding.is_alarm)


def _incident(name: str, title: str, text: str, command: str, *, is_alarm: bool = False) -> Incident:
    return Incident(Source.SYNC, name, title, text, command, is_alarm)


def _sync(connection: duckdb.DuckDBPyConnection) -> Iterator[Incident]:
    found = connection.execute(_LAST_SYNC).fetchone()
    if found is not None:
        reason, error, bulks_error, fields = found
        if reason != "done":
            said = error or "It says no more."
            title = f"The last sync ended with {reason}"
            yield _incident(f"error/{reason}", title, said, "sms-etl doctor", is_alarm=True)
        if bulks_error is not None:
            yield _incident("bulks", "The last sync could not read bulks", bulks_error, "sms-etl sync")
        for field in json.loads(fields or "[]"):
            yield _incident(
                f"field/{field}",
                f"The provider sent a new field, {field}",
                "It is kept in `extra`, under the policy on personal data.",
                "sms-etl status",
            )
    waiting = count_open(connection)
    if waiting:
        what = "1 row waits" if waiting == 1 else f"{waiting:,} rows wait"
        yield _incident(
            "quarantine", f"{what} in quarantine", "Not in any figure.", "sms-etl quarantine list"
        )


def _checks(connection: duckdb.DuckDBPyConnection) -> Iterator[Incident]:
    error = build_error(connection)
    if error is not None:
        yield _incident("build", "The last build failed", error, "sms-etl build", is_alarm=True)
    for model, test, severity, failures in connection.execute(_FAILED, [NOT_BUILT]).fetchall():
        is_blocking = severity == "error"
        rows = "1 row is" if failures == 1 else f"{failures:,} rows are"
        yield _incident(
            f"check/{model}/{test}",
            f"The check {test} of {model} failed",
            f"{rows} not as they must be."
            + (" Nothing is published until it passes." if is_blocking else ""),
            _FAILED_ROWS,
            is_alarm=is_blocking,
        )


def _campaigns(connection: duckdb.DuckDBPyConnection) -> Iterator[Incident]:
    for (key,) in connection.execute(_UNCLEAR).fetchall():
        yield _incident(
            f"campaign/{key}",
            f"It is not known whether the campaign {key} was sent",
            "Run its command again: it looks before it sends.",
            "sms-etl bulks list",
            is_alarm=True,
        )
