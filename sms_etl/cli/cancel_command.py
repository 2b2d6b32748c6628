"""`sms-etl bulks cancel-messages`: stops single messages that are not sent yet."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    Command,
    as_json_option,
    counted,
    example,
    is_at_a_terminal,
    print_json,
    read_settings,
    require_consent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command(
    "cancel-messages",
    cls=Command,
    epilog=example(
        "sms-etl bulks cancel-messages --uuid 0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9",
        "sms-etl bulks cancel-messages --file uuids.txt --yes --json",
    ),
)
@click.option("--uuid", "uuids", multiple=True, type=click.UUID, help="One message; may be repeated.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="A file with one uuid a line, or - for standard input.",
)
@click.option(
    "--yes", is_flag=True, help="Cancel them. Without it a terminal is asked, and a script cancels nothing."
)
@as_json_option
def cancel_messages(uuids: tuple[UUID, ...], file: Path | None, yes: bool, as_json: bool) -> None:
    """Stop messages that are scheduled and not sent yet, by their uuids; what is sent stays sent.

    It shows first how many can be cancelled. Each is looked for afterwards, and the ledger of deletions has
    it (`sms-etl retention verify`). Exit code 3: some were not cancelled, as they are sent or not there.
    """
    from sms_etl.retention.cancelling import cancel_messages as cancel
    from sms_etl.retention.cancelling import look_at

    if not uuids and file is None:
        raise click.UsageError("Say which messages: --uuid or --file.")
    wanted = [*uuids, *(_read(file) if file is not None else ())]
    settings = read_settings()
    if not yes:
        found = look_at(settings, wanted)
        if as_json:
            print_json(found.as_json())
            return
        can = counted(len(found.waiting), "message")
        click.echo(f"{can} can be cancelled.")
        _show_others(found.others)
        if not found.waiting:
            return
        if not is_at_a_terminal() or str(file) == "-":
            click.echo("Nothing was cancelled. To cancel: the same command with --yes.")
            return
        require_consent(f"Cancel {can} for good?", "Nothing was cancelled.")
    result = cancel(settings, wanted)
    if as_json:
        print_json(result.as_json())
    else:
        click.echo(
            f"Cancelled {counted(result.cancelled, 'message')}, each looked for afterwards. "
            "The next `sms-etl sync` shows them so."
        )
        _show_others(result.others)
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


def _show_others(others: "Mapping[str, int]") -> None:
    from sms_etl.retention.cancelling import STANDING_WORDS, Standing

    for standing, count in others.items():
        click.echo(f"- {count:,}: {STANDING_WORDS[Standing(standing)]}")


def _read(file: Path) -> list[UUID]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{file} is no text in UTF-8.") from None
    except OSError as exc:
        raise click.UsageError(f"{file} cannot be read: {exc.strerror}.") from None
    uuids = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            uuids.append(UUID(line.strip()))
        except ValueError:
            raise click.UsageError(f"{file}, line {number}: that is no uuid.") from None
    if not uuids:
        raise click.UsageError(f"{file} holds no uuid.")
    return uuids
