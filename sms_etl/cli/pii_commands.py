"""`sms-etl pii`: a stricter policy for what is stored, and another or a new key of its hashes."""

import sys
from typing import BinaryIO

import click

from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    Subgroup,
    as_json_option,
    example,
    print_json,
    progress_shown,
    read_settings,
)


@click.group(
    cls=Subgroup,
    epilog=example(
        "sms-etl pii apply", "sms-etl pii rotate", 'sms-etl pii accept-key --reason "lost in the move"'
    ),
)
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
    if result.files_unreadable or result.copies_errors:
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


@pii.command("rotate", epilog=example("sms-etl pii rotate", "sms-etl pii rotate --old-key old.key --json"))
@click.option(
    "--old-key",
    type=click.File("rb"),
    metavar="FILE",
    help="Only if SMS_ETL_PII_KEY is set, which must be the new key: a file with the key until now, or -.",
)
@as_json_option
def rotate_key(old_key: BinaryIO | None, as_json: bool) -> None:
    """Replace the key of the hashes by a new one; hashes join as before, and erasure still finds everybody.

    Stored hashes are hashed again by the new key, in the warehouse, the landed files, the published copy and
    the backup in the data directory. The old key is kept in pii.retired, for it is still a step of each hash;
    alone it no longer finds a number. If it is interrupted, run it again.
    """
    from sms_etl.cli.render import show_rotation
    from sms_etl.pii.rotate import rotate

    settings = read_settings()
    if old_key is not None and settings.pii_key is None:
        raise click.UsageError("--old-key is for a key given by SMS_ETL_PII_KEY; pii.key is read by itself.")
    given = old_key.read().strip() if old_key else None
    with progress_shown() as progress:
        result = rotate(settings, given, tell=lambda step: progress(step, 0, None))
    if as_json:
        print_json(result.as_json())
    else:
        show_rotation(result)
    if result.files_unreadable or result.copies_errors:
        sys.exit(NEEDS_ATTENTION)
