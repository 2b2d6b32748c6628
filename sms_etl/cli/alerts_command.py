"""`sms-etl alerts`: what is wrong is shown, and told to those who are to know."""

import sys

import click

from sms_etl.cli.shared import NEEDS_ATTENTION, Command, as_json_option, example, print_json, read_settings


@click.command(
    cls=Command,
    epilog=example("sms-etl alerts", "sms-etl sync; sms-etl alerts --send", "sms-etl alerts --test"),
)
@click.option("--send", is_flag=True, help="Tell of each incident by e-mail and webhook, once.")
@click.option("--test", "is_trial", is_flag=True, help="Only send a trial by each way that is set up.")
@as_json_option
def alerts(send: bool, is_trial: bool, as_json: bool) -> None:
    """Show what is wrong, and what to run next; with --send, tell those who are to know.

    Each incident is told once. One that is over is told again if it comes back. Dagster's sensor `alerts`
    does the same; for both, set SMS_ETL_ALERT_WEBHOOK, or SMS_ETL_ALERT_SMTP and SMS_ETL_ALERT_TO.
    """
    from sms_etl.alerts.channels import channels
    from sms_etl.alerts.reading import open_incidents
    from sms_etl.alerts.telling import Telling, nobody_is_told, tell, try_channels
    from sms_etl.errors import AlertNotSent
    from sms_etl.plain_text import printable

    if send and is_trial:
        raise click.UsageError("--test cannot be combined with --send.")
    settings = read_settings()
    if is_trial:
        ways = [way.name for way in try_channels(settings)]
        if as_json:
            print_json({"tried": ways})
        else:
            click.echo(f"Sent by {' and '.join(ways)}. Look whether it arrived.", err=True)
        return
    if send and not channels(settings):
        raise nobody_is_told()
    result = tell(settings) if send else Telling(open_incidents(settings).incidents, 0, ())
    if as_json:
        print_json(result.as_json())
    else:
        for number, each in enumerate(result.incidents, start=1):
            click.echo(printable(f"{number}. {each.title}. {each.text}"))
            click.echo(printable(f"   {each.command}"))
        if not result.incidents:
            click.echo("Nothing is wrong.")
        if send:
            click.echo(f"Told now: {result.told}.", err=True)
    if result.errors:
        raise AlertNotSent(
            "\n".join(result.errors),
            hint="It is tried again by the next call. Try the setting: `sms-etl alerts --test`.",
        )
    if result.incidents:
        sys.exit(NEEDS_ATTENTION)
