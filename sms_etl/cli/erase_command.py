"""`sms-etl erase`: somebody asks that what is stored about them goes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from sms_etl.cli.shared import (
    NEEDS_ATTENTION,
    Command,
    as_json_option,
    example,
    print_json,
    progress_shown,
    read_settings,
    require_consent,
)

if TYPE_CHECKING:
    from sms_etl.erasure.erase import Erasure
    from sms_etl.erasure.plan import ErasurePlan
    from sms_etl.erasure.subject import Subject
    from sms_etl.settings import Settings


@click.command(
    cls=Command,
    epilog=example(
        "sms-etl erase --file numbers.txt",
        "sms-etl erase --file numbers.txt --apply",
        "sms-etl erase --phone '+49 176 12345678' --apply --json",
    ),
)
@click.option(
    "--phone",
    metavar="NUMBER",
    help="The number, with its country. The shell's history and the process list show it: prefer --file.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="A file with one number a line, or - for standard input.",
)
@click.option(
    "--apply", "is_applied", is_flag=True, help="Erase what was planned; asks first, on a terminal."
)
@click.option("--erasure", "erasure_id", type=click.UUID, metavar="ID", help="The plan to apply.")
@click.option(
    "--yes", is_flag=True, help="Do not ask on a terminal either: apply what an earlier call has shown."
)
@click.option(
    "--local",
    "is_local",
    is_flag=True,
    help="Ask no provider. What they still have comes back with the next sync that reads it.",
)
@as_json_option
def erase(
    phone: str | None,
    file: Path | None,
    is_applied: bool,
    erasure_id: UUID | None,
    yes: bool,
    is_local: bool,
    as_json: bool,
) -> None:
    """Erase a person: messages to a number are deleted at the providers and blanked in all that is stored.

    Without --apply it shows what there is, in numbers, and changes nothing. In a script, --apply carries out
    what an earlier call has planned within 24 hours, if it is still the same. Figures stay: prices, times and
    states without a person. It ends with 3 if something has to stay, and says why; apply it again later.
    """
    from sms_etl.erasure.plan import plan_erasure

    _check_usage(phone, file, is_applied=is_applied, erasure_id=erasure_id, yes=yes)
    subject = _read(phone, file)
    settings = read_settings()
    if not is_applied:
        with progress_shown() as progress:
            progress("looking for messages", 0, None)
            plan = plan_erasure(settings, subject, is_local=is_local)
        _show_plan(plan, as_json=as_json)
        return
    if not yes and erasure_id is None and _is_terminal() and not _is_stdin(file):
        erasure_id = _shown_and_confirmed(settings, subject, is_local=is_local)
    result = _erased(settings, subject, erasure_id, is_local=is_local)
    if as_json:
        print_json(result.as_json())
    else:
        from sms_etl.cli.erase_render import show_erasure

        show_erasure(result)
    if result.needs_attention:
        sys.exit(NEEDS_ATTENTION)


def _check_usage(
    phone: str | None, file: Path | None, *, is_applied: bool, erasure_id: UUID | None, yes: bool
) -> None:
    if (phone is None) == (file is None):
        raise click.UsageError("Give --phone or --file.")
    if (yes or erasure_id) and not is_applied:
        raise click.UsageError("--yes and --erasure go with --apply.")


def _read(phone: str | None, file: Path | None) -> "Subject":
    from sms_etl.erasure.subject import read_subject

    if file is None:
        return read_subject([phone or ""], is_file=False)
    try:
        text = sys.stdin.read() if _is_stdin(file) else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise click.UsageError(f"{file} is no text in UTF-8.") from None
    except OSError as exc:
        raise click.UsageError(f"{file} cannot be read: {exc.strerror}.") from None
    return read_subject(text.splitlines(), is_file=True)


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _is_stdin(file: Path | None) -> bool:
    return str(file) == "-"


def _shown_and_confirmed(settings: "Settings", subject: "Subject", *, is_local: bool) -> UUID:
    """Plan it anew, show the plan and ask."""
    from sms_etl.cli.erase_render import show_plan
    from sms_etl.erasure.plan import plan_erasure

    plan = plan_erasure(settings, subject, is_local=is_local)
    show_plan(plan, is_error_stream=True)
    require_consent("Erase this for good?", "Nothing was erased.")
    return plan.erasure_id


def _erased(
    settings: "Settings", subject: "Subject", erasure_id: UUID | None, *, is_local: bool
) -> "Erasure":
    from sms_etl.erasure.erase import erase as carry_out

    with progress_shown() as progress:
        return carry_out(
            settings, subject, erasure_id, is_local=is_local, tell=lambda step: progress(step, 0, None)
        )


def _show_plan(plan: "ErasurePlan", *, as_json: bool) -> None:
    if as_json:
        print_json(plan.as_json())
        return
    from sms_etl.cli.erase_render import show_plan

    show_plan(plan)
