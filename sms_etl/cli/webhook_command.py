"""`sms-etl webhook`: takes delivery events as they happen."""

import click

from sms_etl.cli.shared import Command, as_json_option, example, print_json, read_settings


@click.command(
    cls=Command,
    epilog=example(
        "SMS_ETL_WEBHOOK_SECRET=<secret> sms-etl webhook --port 8025",
        "sms-etl webhook --host 0.0.0.0 --json",
    ),
)
@click.option("--port", default=8025, show_default=True, type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; a proxy adds TLS.")
@as_json_option
def webhook(port: int, host: str, as_json: bool) -> None:
    """Take LOX24's delivery events at /lox24/<SMS_ETL_WEBHOOK_SECRET>, until it is ended.

    An event is acknowledged once it is on the disk; the next sync applies it. A sync may run meanwhile. With
    --json it prints at its end what was stored and refused.
    """
    from sms_etl.events.server import serve

    answered = serve(read_settings(), host=host, port=port, say=lambda line: click.echo(line, err=True))
    if as_json:
        print_json(answered)
    raise KeyboardInterrupt  # how it ends
