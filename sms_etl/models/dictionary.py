"""Writes the data dictionary: every table and column of the warehouse, from where it is declared.

`python -m sms_etl.models.dictionary > docs/data-dictionary.md` renews it; a test holds it current.
"""

import sys
from collections.abc import Iterator

from sms_etl.models.declared import ColumnTest, RelationTest, Severity
from sms_etl.models.project import Model, Project, Relation, SqlTest, load_project
from sms_etl.warehouse.tables import metadata

_HEAD = """\
# Data dictionary

<!-- Written by `python -m sms_etl.models.dictionary` from _models.yml, _seeds.yml and tables.py. -->

Analysts read `marts.*`; what is below them is there to look things up. Times are UTC and end in `_at`,
days and months are those of SMS_ETL_TIMEZONE, money is beside its `currency`. How names are made:
[naming](naming.md).
"""
_SCHEMAS = {
    "marts": "what analysts, finance and the reports read",
    "finance": "months that were closed, and what changed in them since",
    "intermediate": "steps between; they may change at any time",
    "staging": "raw rows under our names",
    "seeds": "small lists kept as CSV files",
    "raw": "as the provider says it, newest state and changes",
    "ops": "what the pipeline did",
}


def data_dictionary(project: Project) -> str:
    """Write the dictionary of a project as Markdown."""
    return "\n".join((_HEAD, *_sections(project))).rstrip() + "\n"


def _sections(project: Project) -> Iterator[str]:
    for schema, says in _SCHEMAS.items():
        yield f"## {schema}: {says}\n"
        if schema in {"raw", "ops", "finance"}:
            yield from _source_tables(schema, project)
        else:
            relations = (*project.models.values(), *project.seeds.values())
            for relation in sorted(relations, key=lambda relation: relation.name):
                if relation.name.startswith(f"{schema}."):
                    yield _relation(relation, project)


def _relation(relation: Relation, project: Project) -> str:
    facts = [f"Grain: {_code(relation.grain)}", f"owner: {relation.owner}"]
    if isinstance(relation, Model):
        by = f", rebuilt by day of `{relation.incremental.by}`" if relation.incremental else ""
        facts += [f"{relation.materialised.value}{by}", f"reads {_code(relation.reads)}"]
    lines = [f"### {relation.name}\n", f"{relation.description}\n", f"{'; '.join(facts)}.\n"]
    lines += ["| column | type | meaning | tests |", "|---|---|---|---|"]
    lines += [
        f"| {column.name} | {column.type} | {_cell(column.description)} | {_tests(column.tests)} |"
        for column in relation.columns
    ]
    about: list[RelationTest | SqlTest] = [
        *relation.tests,
        *(test for test in project.tests if test.models[0] == relation.name),
    ]
    if about:
        lines.append("\nTests:\n")
        lines += [f"- `{test.name}` ({test.severity.value}): {test.description}" for test in about]
    return "\n".join(lines) + "\n"


def _source_tables(schema: str, project: Project) -> Iterator[str]:
    for table in metadata.sorted_tables:
        if table.schema == schema:
            types = project.sources[table.fullname]
            lines = [
                f"### {table.fullname}\n",
                f"{table.comment}\n",
                "| column | type | meaning |",
                "|---|---|---|",
            ]
            lines += [f"| {c.name} | {types[c.name]} | {_cell(c.comment or '')} |" for c in table.columns]
            yield "\n".join(lines) + "\n"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.strip().replace("|", "\\|")


def _tests(tests: tuple[ColumnTest, ...]) -> str:
    return ", ".join(
        test.kind.replace("_", " ") + (" (warn)" if test.severity is Severity.WARN else "") for test in tests
    )


if __name__ == "__main__":
    sys.stdout.write(data_dictionary(load_project()))
