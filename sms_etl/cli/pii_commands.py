"""`sms-etl pii`: a stricter policy for what is stored, and another key of its hashes."""

import sys

import click

from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    as_json_option,
    example,
    print_json,
    progress_shown,
    read_settings,
)


@click.group(epilog=example("sms-etl pii apply", 'sms-etl pii accept-key --reason "lost in the move"'))
def pii() -> None:
    """Apply a stricter policy to stored numbers and texts, or change the key of the hashes."""


@pii.command("apply", epilog=example("SMS_ETL_PII=pseudonymise sms-etl pii apply"))
@as_json_option
def apply_pii(as_json: bool) -> None:
    """Apply a stricter SMS_ETL_PII to stored data: blank the numbers and texts that were kept, for good.

    This covers the warehouse, the quarantine, the landed files, the published copy and the backup in the
    data directory, and leaves a receipt in ops.pii_receipt. It does not reach copies made elsewhere. If it
    is interrupted, run it again.
    """
    from sms_etl.cli.render import show_applied
    from sms_etl.pii.apply import apply_policy

    with progress_shown() as progress:
        result = apply_policy(read_settings(), tell=lambda step: progress(step, 0, None))
    if as_json:
        print_json(result.as_json())
    else:
        show_applied(result)
    if result.files_unreadable:
        sys.exit(NEEDS_ATTENTION)


@pii.command("accept-key", epilog=example('sms-etl pii accept-key --reason "lost in the move"'))
@click.option(
    "--reason", required=True, help="Why the warehouse's own key is no longer used. It is recorded."
)
@as_json_option
def accept_key(reason: str, as_json: bool) -> None:
    """Continue with another key if the warehouse's own key is lost for good.

    Hashes of earlier rows will not join those of later ones. The key is SMS_ETL_PII_KEY, else the file
    pii.key; if there is none, one is made.
    """
    from sms_etl.pii.state import accept_key as accept
    from sms_etl.warehouse.store import writable_warehouse

    if not reason.strip():
        raise click.UsageError("--reason: say why.")
    settings = read_settings()
    with writable_warehouse(settings).begin() as transaction:
        fingerprint = accept(transaction, settings, reason=reason.strip())
    if as_json:
        print_json({"is_changed": fingerprint is not None, "key_fingerprint": fingerprint})
    elif fingerprint is None:
        click.echo("The warehouse already uses this key. Nothing was changed.")
    else:
        click.echo(f"The warehouse now uses the key with fingerprint {fingerprint}. Back it up.")
