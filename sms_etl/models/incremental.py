"""Builds a model by day: only the days of which anything it is made from has changed since it was built last.

What it reads is compared with what it read then, state with state: no clock is trusted, and a row that was
added, changed, moved to another day or removed in whatever way makes its days differ. `_models.yml` says by
which column a row belongs to a day (`incremental: {by: …}`), and how time alone changes a row (`overtaken:`).

The state lies in `ops.model_state`, `ops.source_state` and `ops.model_day`, and is written in the caller's
transaction, with the rows. A model is rebuilt whole if its SQL, that of a model it is made of, or a setting
changed, if anything it reads whole did, or if its table is not as the last build left it.
"""
# ruff: noqa: S608 - names are checked where the project is read, values are parameters

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

import duckdb

from sms_etl import __version__
from sms_etl.errors import ModelError
from sms_etl.models.connection import Connection, count_rows, exists
from sms_etl.models.declared import Incremental, Materialised
from sms_etl.models.narrowing import Inputs, Narrowed, narrow, of_days, views_read
from sms_etl.models.project import BUILD_CONTEXT, Model, Project

STATE = "ops.model_state"
_MARKS = (
    *("uuid", "status_code", "dlr_code", "price", "delivery_at", "changed_at", "gone_at", "delivered_at"),
)
"""Of a row of a source these tell: each load that changes it moves `changed_at`, an event `delivered_at`, and
a hand one of the others."""
_VERSIONS_KEPT = 50
"""Of so many builds the changed days are known to what is made of a model; what is older is rebuilt whole."""


@dataclass(frozen=True)
class Moment:
    """What a model is built with, from `ops.build_context`."""

    as_of_at: datetime
    timezone: str
    settle_days: int


@dataclass(frozen=True)
class State:
    """What a model was built from when it was built last."""

    signature: str
    as_of_at: datetime
    version: int
    days_since: int
    """The changed days are known of later versions than this."""
    rows: int
    tested_digest: str | None


@dataclass(frozen=True)
class PartBuilt:
    """What was rebuilt of a model: its days, what shows them, and which tests had passed on all the rest."""

    model: str
    inputs: Inputs
    days: tuple[date, ...]
    narrowed: Narrowed
    tested_digest: str | None
    """Of the project whose tests were run when the model was built before; None if they were not."""
    has_key: bool = False
    """Its own rows have the key of its inputs."""


class Looks:
    """What was seen of sources by day in this build: two models that read the same one look at it once.

    Whoever builds changes no source meanwhile.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables: dict[tuple[str, ...], str] = {}

    def table_of(self, name: str, day: str, marks: str) -> str:
        """Return a temporary table with the rows and the fingerprint of each day of a relation."""
        known = (name, day, marks)
        if known not in self._tables:
            self._tables[known] = table = f"looked_at_{len(self._tables)}"
            self._connection.execute(
                f"create or replace temp table {table} as "
                f"select cast({day} as date) as day, count(*) as rows, {marks} as fingerprint "
                f"from {name} as seen group by all"
            )
        return self._tables[known]


def inputs_of(project: Project, model: Model) -> Inputs:
    """Say how what a model by day reads follows its days.

    Raises:
        ModelError: Not exactly one of its relations has the column by which it is incremental.
    """
    by = _declared(model).by
    views = views_read(project, model)
    read = {name for each in (model, *views) for name in each.reads} - {view.name for view in views}
    bases = sorted(read - {BUILD_CONTEXT})
    dated = [name for name in bases if by in project.schemas.get(name, {})]
    if len(dated) != 1:
        raise ModelError(
            f"{model.label}:1: incremental by {by}, which {len(dated)} of the relations it is made of have",
            hint=f"It reads {', '.join(bases)}: one of them must have it, or leave `incremental` out.",
        )
    key = _declared(model).key or (model.grain[0] if len(model.grain) == 1 else None)
    moments = {name: _first_moment(project, name) for name in bases if name not in dated}
    keyed = {
        name: moment
        for name, moment in moments.items()
        if moment is not None and key in project.schemas[name]
    }
    whole = tuple(name for name in moments if name not in keyed)
    is_date = project.schemas[model.name][by] == "date"
    return Inputs(by, is_date, dated[0], keyed, whole, key)


def _check_passed_on(project: Project, view: Model, by: str) -> None:
    sources = project.column_lineage(view.name)[by]
    if [name for _, name in sources] != [by]:
        raise ModelError(f"{view.label}:1: {by} is computed, and what reads it is incremental by it")


def _first_moment(project: Project, name: str) -> str | None:
    return next((column for column, kind in project.schemas[name].items() if kind == "timestamp"), None)


def _declared(model: Model) -> Incremental:
    assert model.incremental is not None  # noqa: S101 - only models by day come here
    return model.incremental


def build_by_day(
    connection: Connection,
    project: Project,
    model: Model,
    *,
    build_whole: Callable[[], None],
    is_full: bool = False,
    looks: Looks | None = None,
) -> PartBuilt | None:
    """Bring a model by day up to date, and note what it is built from.

    Args:
        connection: Open for writing, in the caller's transaction; `ops.*` is there.
        project: Whose model.
        model: With `incremental`.
        build_whole: Makes the table anew.
        is_full: Do so in any case.
        looks: What was seen of sources already in this build.

    Returns:
        What was rebuilt of it; None if it was rebuilt whole.
    """
    inputs = inputs_of(project, model)
    now = _moment(connection)
    if now is None:
        build_whole()
        forget(connection, model.name)
        return None
    signature = _signature(project, model, now)
    before = None if is_full else _state(connection, model.name)
    is_usable = before is not None and _is_as_left(connection, model, before, signature)
    _look(connection, project, model, inputs, looks or Looks(connection))
    days = _changed_days(connection, model, inputs, before, now) if is_usable and before else None
    version = (before.version if before else _last_version(connection, model.name)) + 1
    if days is None or before is None:
        build_whole()
        connection.execute("delete from ops.model_day where model = $1", [model.name])
        _note(connection, model, State(signature, now.as_of_at, version, version, 0, None))
        return None
    narrowed = narrow(connection, project, model, inputs, days)
    if days:
        _replace_days(connection, project, model, inputs, narrowed, days, version)
    since = max(before.days_since, version - _VERSIONS_KEPT)
    _note(connection, model, State(signature, now.as_of_at, version, since, 0, None))
    has_key = inputs.key is not None and inputs.key in model.grain
    return PartBuilt(model.name, inputs, tuple(days), narrowed, before.tested_digest, has_key)


def forget(connection: Connection, model: str) -> None:
    """Have a model rebuilt whole the next time: its table is not what was noted."""
    if exists(connection, STATE):
        connection.execute(f"delete from {STATE} where model = $1", [model])


def note_tested(connection: Connection, digest: str) -> None:
    """Note that all tests of a project were run on the models by day as they are now."""
    connection.execute(f"update {STATE} set tested_digest = $1", [digest])


def _moment(connection: Connection) -> Moment | None:
    """Return what models are built with; None if that is not one row, which a test will say."""
    found = connection.execute(f"select as_of_at, timezone, settle_days from {BUILD_CONTEXT}").fetchall()
    if len(found) != 1:
        return None
    ((as_of_at, timezone, settle_days),) = found
    assert isinstance(as_of_at, datetime)  # noqa: S101 - its type
    return Moment(as_of_at, str(timezone), int(str(settle_days)))


def _signature(project: Project, model: Model, now: Moment) -> str:
    """Return what must be the same for the rows that are there to be what would be built again.

    A hash is DuckDB's, which may change with its version.
    """
    texts = [__version__, duckdb.__version__, now.timezone, str(now.settle_days)]
    for each in _made_of(project, model):
        columns = [f"{column.name} {column.type}" for column in each.columns]
        texts += [each.name, each.sql, each.materialised.value, *columns]
    texts.append(_declared(model).model_dump_json())
    return sha256("\0".join(texts).encode()).hexdigest()


def _made_of(project: Project, model: Model) -> list[Model]:
    found = {model.name}
    for each in reversed([*project.models.values()]):
        if each.name in found:
            found |= {name for name in each.reads if name in project.models}
    return [each for each in project.models.values() if each.name in found]


def _state(connection: Connection, name: str) -> State | None:
    found = connection.execute(
        f"select signature, as_of_at, version, days_since, rows, tested_digest from {STATE} where model = $1",
        [name],
    ).fetchone()
    return State(*found) if found else None  # type: ignore[arg-type]  # the table's own types


def _last_version(connection: Connection, name: str) -> int:
    """Return a version later than any that something was made of: where the state was forgotten, too."""
    ((version,),) = connection.execute(
        "select coalesce(max(rows), 0) from ops.source_state where relation = $1 and day is null", [name]
    ).fetchall()
    return int(str(version))


def _is_as_left(connection: Connection, model: Model, before: State, signature: str) -> bool:
    if before.signature != signature:
        return False
    kind = connection.execute(
        "select table_type from information_schema.tables where table_schema || '.' || table_name = $1",
        [model.name],
    ).fetchone()
    return kind == ("BASE TABLE",) and count_rows(connection, model.name) == before.rows


def _look(connection: Connection, project: Project, model: Model, inputs: Inputs, looks: Looks) -> None:
    """Note in `looked` how each relation is that a model reads: a row a day, or one without a day."""
    by_day = "select '{name}' as relation, day, rows, fingerprint from {table}"
    whole = "select '{name}', cast(null as date), count(*), {mark} from {name} as seen"
    parts, inputs_by_day = [], {}
    if _is_by_day(project, inputs.dated):
        version = "(select coalesce(max(version), 0) from ops.model_state where model = '{name}')"
        parts.append(f"select '{{name}}', cast(null as date), {version}, 0".format(name=inputs.dated))
    else:
        inputs_by_day = {inputs.dated: inputs.by}
    for name, moment in (inputs_by_day | dict(inputs.keyed)).items():
        table = looks.table_of(name, moment, _marks(project, name, moment))
        parts.append(by_day.format(name=name, table=table))
    parts += [whole.format(name=name, mark=_marks(project, name)) for name in inputs.whole]
    connection.execute(
        "create or replace temp table looked (relation varchar, day date, rows bigint, fingerprint bigint)"
    )
    connection.execute(f"insert into looked {' union all '.join(parts)}")


def _marks(project: Project, name: str, day: str | None = None) -> str:
    """Return what differs when any row does: of a source by day by the columns that tell, else by all."""
    columns = project.schemas[name]
    told = [day, *_MARKS] if day and name in project.sources else [*columns]
    hashed = ", ".join(f"seen.{column}" for column in dict.fromkeys(told) if column in columns)
    return f"coalesce(cast(bit_xor(hash({hashed})) >> 1 as bigint), 0)"


def _is_by_day(project: Project, name: str) -> bool:
    model = project.models.get(name)
    return model is not None and model.incremental is not None


def _changed_days(
    connection: Connection, model: Model, inputs: Inputs, before: State, now: Moment
) -> list[date] | None:
    """Return the days to rebuild, ascending; None if days do not tell, or are most of them."""
    if now.as_of_at < before.as_of_at:
        return None
    differing = connection.execute(
        """
        select
            coalesce(looked.relation, noted.relation), coalesce(looked.day, noted.day),
            looked.rows as rows_now, noted.rows as rows_before
        from looked
        full join (select * from ops.source_state where model = $1) as noted
            on looked.relation = noted.relation and looked.day is not distinct from noted.day
        where looked.rows is distinct from noted.rows or looked.fingerprint is distinct from noted.fingerprint
        """,
        [model.name],
    ).fetchall()
    found: set[date] = set()
    seen: dict[str, list[date]] = {name: [] for name in inputs.keyed}
    for relation, day, rows_now, rows_before in differing:
        if relation in inputs.keyed:
            if rows_now is None or (rows_before is not None and int(str(rows_now)) <= int(str(rows_before))):
                return None  # a log of changes only grows, unless by hand
            seen[str(relation)].append(_date(day))
        elif relation == inputs.dated and day is not None:
            found.add(_date(day))
        elif relation == inputs.dated and rows_before is not None:
            days = _days_since(connection, inputs, int(str(rows_before)))
            if days is None:
                return None
            found |= days
        else:
            return None
    for name, days_seen in seen.items():
        found |= _days_of_keys(connection, inputs, name, days_seen)
    found |= _overtaken(connection, model, before, now)
    ordered = sorted(found)
    if (
        2 * count_rows(connection, f"(select 1 from {model.name} where {of_days(inputs, ordered)})")
        > before.rows
    ):
        return None
    return ordered


def _date(value: object) -> date:
    assert isinstance(value, date)  # noqa: S101 - the column's type
    return value


def _days_since(connection: Connection, inputs: Inputs, version: int) -> set[date] | None:
    """Return which days of a model by day were rebuilt since a version of it; None if that is not known."""
    upstream = _state(connection, inputs.dated)
    if upstream is None or upstream.days_since > version:
        return None
    days = connection.execute(
        "select distinct day from ops.model_day where model = $1 and of_column = $2 and version > $3",
        [inputs.dated, inputs.by, version],
    )
    return {_date(day) for (day,) in days.fetchall()}


def _days_of_keys(connection: Connection, inputs: Inputs, name: str, days: Sequence[date]) -> set[date]:
    """Return the days of what a log of changes speaks of on some days."""
    if not days:
        return set()
    listed = ", ".join(f"date '{day}'" for day in days)
    found = connection.execute(
        f"select distinct cast({inputs.by} as date) from {inputs.dated} where {inputs.key} in "
        f"(select {inputs.key} from {name} where cast({inputs.keyed[name]} as date) in ({listed}))"
    )
    return {_date(day) for (day,) in found.fetchall()}


def _overtaken(connection: Connection, model: Model, before: State, now: Moment) -> set[date]:
    """Return the days of rows that time alone has changed."""
    declared = _declared(model)
    if declared.overtaken is None or now.as_of_at == before.as_of_at:
        return set()
    found = connection.execute(
        f"""
        select distinct cast(overtaken.{declared.by} as date)
        from {model.name} as overtaken
        cross join (
            select $1::timestamp as before, $2::timestamp as now, $3::integer as settle_days
        ) as moments
        where {declared.overtaken}
        """,
        [before.as_of_at, now.as_of_at, now.settle_days],
    )
    return {_date(day) for (day,) in found.fetchall()}


def _replace_days(
    connection: Connection,
    project: Project,
    model: Model,
    inputs: Inputs,
    narrowed: Narrowed,
    days: Sequence[date],
    version: int,
) -> None:
    """Replace the rows of some days, and note of which days that is to what is made of them."""
    where = of_days(inputs, days)
    readers = {
        _declared(reader).by
        for reader in project.models.values()
        if reader.incremental and inputs_of(project, reader).dated == model.name
    }
    note = "insert into ops.model_day select distinct $1, '{by}', $2, {by} from {name} where {where}"
    notes = [note.format(by=by, name=model.name, where=where) for by in sorted(readers)]
    for sql in notes:
        connection.execute(sql, [model.name, version])
    connection.execute(f"delete from {model.name} where {where}")
    connection.execute(f"insert into {model.name} by name {narrowed.rewrite(model.sql, model.label)}")
    for sql in notes:
        connection.execute(sql, [model.name, version])


def _note(connection: Connection, model: Model, state: State) -> None:
    """Note what a model is built from now."""
    rows = count_rows(connection, model.name)
    connection.execute(f"delete from {STATE} where model = $1", [model.name])
    connection.execute(
        f"insert into {STATE} (model, signature, as_of_at, version, days_since, rows) "
        "values ($1, $2, $3, $4, $5, $6)",
        [model.name, state.signature, state.as_of_at, state.version, state.days_since, rows],
    )
    connection.execute("delete from ops.source_state where model = $1", [model.name])
    connection.execute(
        "insert into ops.source_state select $1, relation, day, rows, fingerprint from looked", [model.name]
    )
    connection.execute(
        "delete from ops.model_day where model = $1 and version <= $2", [model.name, state.days_since]
    )


def check_incremental(project: Project) -> None:
    """Hold that each model by day can be built by day.

    Raises:
        ModelError: One cannot; names the file.
    """
    for model in project.models.values():
        if model.incremental is None:
            continue
        if model.materialised is not Materialised.TABLE:
            raise ModelError(
                f"{model.label}:1: a view has no rows that could be kept: it cannot be incremental"
            )
        inputs = inputs_of(project, model)
        for view in views_read(project, model):
            if inputs.by in {column.name for column in view.columns}:
                _check_passed_on(project, view, inputs.by)
        reads = {name for each in (model, *views_read(project, model)) for name in each.reads}
        if BUILD_CONTEXT in reads and model.incremental.overtaken is None:
            raise ModelError(
                f"{model.label}:1: reads {BUILD_CONTEXT}, and does not say which rows time alone changes",
                hint="Say it in `incremental`, as `overtaken:`; see marts.fct_sms.",
            )
        kind = project.schemas[model.name][inputs.by]
        if kind not in {"date", "timestamp"}:
            raise ModelError(
                f"{model.label}:1: incremental by {inputs.by}, which is {kind}: no date and no timestamp"
            )
