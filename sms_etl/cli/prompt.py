"""Reads queries line by line, runs each on the published copy and shows its rows: what `sms-etl shell` does.

Each query opens the copy anew and locked down as `sms-etl query` does, so a session of days sees every
publication, and none of it can write. From a pipe the same lines work, without a prompt.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import click
import duckdb

from sms_etl.cli.outcome import say_error
from sms_etl.cli.render import print_csv, show_rows
from sms_etl.errors import QueryError, SmsEtlError
from sms_etl.settings import Settings
from sms_etl.warehouse.read import connect, open_query

_PROMPT, _CONTINUED = "sms-etl> ", "    ...> "
_HELP = """\
Write SQL and end it with a semicolon:  select * from marts.data_status;
.tables          the marts             .tables all    all tables
.schema TABLE    its columns           .help          this
.quit            end it (or Ctrl-D)    Ctrl-C         drop what is written, or stop a query"""
_TABLES = "show tables"
_ALL_TABLES = """
select table_schema || '.' || table_name as "table" from information_schema.tables order by all
"""
_COLUMNS = """
select column_name as "column", data_type as type, comment as meaning from duckdb_columns()
where not internal and (schema_name || '.' || table_name = '{0}' or table_name = '{0}') order by column_index
"""
_NAMES = """
select schema_name || '.' || table_name from duckdb_tables() where not internal
union select column_name from duckdb_columns() where not internal
"""


@dataclass
class Prompt:
    """A session."""

    settings: Settings
    as_csv: bool = False
    is_interactive: bool = False
    _written: list[str] = field(default_factory=list)
    """Lines of a query that has not ended yet."""

    def run(self, lines: Iterable[str]) -> None:
        """Run what is written until it ends.

        Args:
            lines: Where from, unless somebody sits at the terminal.

        Raises:
            NoWarehouse: Nothing was published yet.
            QueryError: A query was refused; at a terminal it is told, and the next one can be written.
        """
        with connect(self.settings) as connection:
            names = [name for (name,) in connection.execute(_NAMES).fetchall()]
        if self.is_interactive:
            _complete(names)
            click.echo("The published copy, read-only. `.help` says what there is, Ctrl-D ends it.", err=True)
            lines = self._typed()
        for line in lines:
            if not self._take(line.rstrip("\n")):
                return
        if self._text.strip():
            self._answer(self._text)

    @property
    def _text(self) -> str:
        return "\n".join(self._written)

    def _typed(self) -> Iterator[str]:
        """Yield the lines somebody writes; Ctrl-C drops what was written of a query, Ctrl-D ends it."""
        while True:
            try:
                yield input(_CONTINUED if self._written else _PROMPT)
            except KeyboardInterrupt:
                self._written.clear()
                click.echo(err=True)
            except EOFError:
                click.echo(err=True)
                return

    def _take(self, line: str) -> bool:
        """Take a line, and answer what it ends; return whether to go on."""
        if not self._written and line.strip().startswith("."):
            return self._command(line.split())
        if not self._written and not line.strip():
            return True
        self._written.append(line)
        if has_ended(self._text):
            text = self._text
            self._written.clear()
            self._answer(text)
        return True

    def _command(self, words: list[str]) -> bool:
        match words:
            case [".quit" | ".exit"]:
                return False
            case [".help"]:
                click.echo(_HELP)
            case [".tables"]:
                self._answer(_TABLES)
            case [".tables", "all"]:
                self._answer(_ALL_TABLES)
            case [".schema", table]:
                self._answer(_COLUMNS.format(table.rstrip(";").replace("'", "''")))
            case _:
                self._tell(
                    QueryError(f"There is no {words[0]} like this.", hint="`.help` lists what there is.")
                )
        return True

    def _answer(self, text: str) -> None:
        """Run all queries of a text, and show the rows of each."""
        try:
            for sql in statements(text):
                with open_query(sql, self.settings) as (columns, rows):
                    if self.as_csv:
                        print_csv(columns, rows)
                    else:
                        show_rows(columns, rows)
        except SmsEtlError as exc:
            self._tell(exc)
        except KeyboardInterrupt:
            if not self.is_interactive:
                raise
            click.echo("Stopped.", err=True)

    def _tell(self, exc: SmsEtlError) -> None:
        if not self.is_interactive:
            raise exc
        say_error(exc.message, exc.hint)


def has_ended(text: str) -> bool:
    """Return whether a text ends with a semicolon that is none of a string, a name or a comment."""
    last = text.rstrip()
    tokens = [(at, kind) for at, kind in duckdb.tokenize(last) if kind is not duckdb.token_type.comment]
    if not tokens:
        return False
    at, kind = tokens[-1]
    # Places are those of UTF-8 bytes.
    return kind is duckdb.token_type.operator and last.encode()[at : at + 1] == b";"


def statements(text: str) -> list[str]:
    """Return the statements of a text one by one; what cannot be read is returned as it is, to be refused."""
    if text == _TABLES:
        return [text]
    try:
        with duckdb.connect(":memory:") as connection:
            return [each.query.strip() for each in connection.extract_statements(text)] or [text]
    except duckdb.Error:
        return [text]


def _complete(names: list[str]) -> None:
    """Let Tab complete names of tables and columns, where there is a readline."""
    try:
        import readline  # noqa: PLC0415 - not everywhere
    except ImportError:
        return

    def complete(text: str, state: int) -> str | None:
        found = [name for name in names if name.startswith(text)]
        found += [name for name in names if name.partition(".")[2].startswith(text) and text]
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n\"'(),;=<>+-*/")
    is_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
