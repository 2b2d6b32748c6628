"""Drops what was built of models and seeds whose files are deleted; never a table that somebody else made."""
# ruff: noqa: S608 - names are those this package noted itself

from sms_etl.models.connection import Connection
from sms_etl.models.project import Project

_BUILT = "ops.built_relation"
_KIND = "select table_type from information_schema.tables where table_schema || '.' || table_name = $1"


def drop_deleted(connection: Connection, project: Project) -> tuple[str, ...]:
    """Drop what earlier builds made and the project has no more; note what it has now; return the names."""
    known = [*project.seeds, *project.models]
    noted = connection.execute(f"select distinct relation from {_BUILT} order by relation").fetchall()
    gone = [str(name) for (name,) in noted if name not in known]
    for name in gone:
        kind = connection.execute(_KIND, [name]).fetchone()
        if kind is not None:
            connection.execute(f"drop {'view' if kind[0] == 'VIEW' else 'table'} {name}")
        connection.execute("delete from ops.model_state where model = $1", [name])
        connection.execute("delete from ops.source_state where model = $1", [name])
        connection.execute("delete from ops.model_day where model = $1", [name])
    connection.execute(f"delete from {_BUILT}")
    connection.execute(f"insert into {_BUILT} select unnest(cast($1 as varchar[]))", [known])
    return tuple(gone)
