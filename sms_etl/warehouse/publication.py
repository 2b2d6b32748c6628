"""What speaks against publishing the warehouse as it is, and what was published of it: `ops.publication`."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb

NOT_BUILT = "built"
"""The test in `ops.model_test` that a model fails while its last build ended in an error."""
_NO_BUILD = "nothing was built yet"
_COUNT_BUILDS = "select count(*) from ops.build_context"
_FAILED_TESTS = """
select model, test, failures from ops.model_test
where severity = 'error' and failures > 0 order by model, test
"""
_BUILD_ERROR = """
select rows.row ->> '$.error'
from ops.failed_test_rows as rows
inner join ops.model_test as failed on rows.model = failed.model and rows.test = failed.test
where rows.test = $1 and failed.failures > 0
order by rows.tested_at desc, rows.model
limit 1
"""
_HAS_FAILED_ROWS = (
    "select 1 from duckdb_tables() where schema_name = 'ops' and table_name = 'failed_test_rows'"
)
_RECORD = "insert into ops.publication by name select ? as published_at, ? as contents, ? as is_forced, \
? as forced_reason, cast(? as json) as failed_tests"
_LAST = "select published_at, contents, is_forced, forced_reason, \
cast(failed_tests as varchar) as failed_tests from ops.publication order by published_at desc limit 1"
_HAS_PUBLICATIONS = "select 1 from duckdb_tables() where schema_name = 'ops' and table_name = 'publication'"

_HAS_SELECTION = "select 1 from duckdb_columns() where schema_name = 'ops' and table_name = 'build_context' \
and column_name = 'selection'"


def objections(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return why the last build must not be published, a phrase each; empty if nothing speaks against it."""
    if connection.execute(_COUNT_BUILDS).fetchall() == [(0,)]:
        return (_NO_BUILD,)
    return (*built_in_part(connection), *failed_checks(connection))


def built_in_part(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return, in one phrase, that the last build made a part of the models; empty if it made all of them."""
    if not connection.execute(_HAS_SELECTION).fetchall():
        return ()  # read-only, and not migrated yet
    found = connection.execute("select selection from ops.build_context").fetchone()
    return (f"the last build was one of a part ({found[0]})",) if found and found[0] is not None else ()


def failed_checks(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return the blocking tests that failed when they were last run, as `model: test (3 rows)`.

    Models whose last build ended in an error are named together, in one phrase.
    """
    failed = connection.execute(_FAILED_TESTS).fetchall()
    unbuilt = [model for model, test, _ in failed if test == NOT_BUILT]
    return (
        *([f"the last build ended in an error ({_few(unbuilt)})"] if unbuilt else []),
        *(f"{model}: {test} ({rows} rows)" for model, test, rows in failed if test != NOT_BUILT),
    )


def build_error(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return what the last build's error said; None if it ended in none, or by an older version."""
    if not connection.execute(_HAS_FAILED_ROWS).fetchall():
        return None  # read-only, and not migrated yet
    found = connection.execute(_BUILD_ERROR, [NOT_BUILT]).fetchone()
    return found[0] if found else None


def record_publication(
    connection: duckdb.DuckDBPyConnection,
    published_at: datetime,
    contents: str,
    failed_tests: Sequence[str],
    forced_reason: str | None,
) -> None:
    """Record a publication; it is a forced one if any test had failed."""
    is_forced = bool(failed_tests)
    reason = forced_reason if is_forced else None
    values = [published_at, contents, is_forced, reason, json.dumps(failed_tests)]
    connection.execute(_RECORD, values).fetchall()


def withdraw_publication(connection: duckdb.DuckDBPyConnection, published_at: datetime) -> None:
    """Forget a publication that came to nothing."""
    connection.execute("delete from ops.publication where published_at = ?", [published_at]).fetchall()


def last_publication(connection: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """Return the newest row of `ops.publication`, or None if nothing was published since it is kept."""
    if not connection.execute(_HAS_PUBLICATIONS).fetchall():
        return None  # read-only, and not migrated yet
    answer = connection.execute(_LAST)
    names = [column[0] for column in answer.description or ()]
    row = answer.fetchone()
    if row is None:
        return None
    found = dict(zip(names, row, strict=True))
    return found | {"failed_tests": json.loads(found["failed_tests"])}


def _few(models: Sequence[str]) -> str:
    return models[0] if len(models) == 1 else f"{len(models)} models"
