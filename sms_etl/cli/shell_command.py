"""The command `sms-etl shell`."""

import sys

import click

from sms_etl.cli.shared import Command, example, read_settings


@click.command(
    cls=Command,
    epilog=example(
        "sms-etl shell",
        "sms-etl shell < questions.sql",
        "echo 'from marts.data_status' | sms-etl shell --csv",
    ),
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets and pipes.")
def shell(as_csv: bool) -> None:
    """Ask the published copy one query after the other, read-only; each sees the newest publication.

    A query ends with a semicolon. `.help` lists what else there is. From a pipe or a file all queries are
    run; the first that is refused ends it with exit code 1.
    """
    from sms_etl.cli.prompt import Prompt

    Prompt(read_settings(), as_csv=as_csv, is_interactive=sys.stdin.isatty()).run(sys.stdin)
