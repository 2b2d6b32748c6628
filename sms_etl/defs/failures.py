"""Turns errors into Dagster failures that say what to do, and that quote nothing of a message.

Dagster stores what an exception says, and all it was raised from, in its event log. Ours are written for
that; what a library says may quote a row, so only its kind and the places in the code go on.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from sms_etl.errors import (
    AlreadyRunning,
    BadAnswer,
    ProviderDiffers,
    SmsEtlError,
    Throttled,
    Unavailable,
    Unreachable,
    WarehouseLocked,
    WindowUnstable,
)

PASSING = (
    AlreadyRunning,
    BadAnswer,
    ProviderDiffers,  # the next try probes it anew and may take a slower way
    Throttled,
    Unavailable,
    Unreachable,
    WarehouseLocked,
    WindowUnstable,
)
"""What may be gone a minute later. All else stays as it is until a person acts: a wrong token above all,
which must not be tried again."""


@contextmanager
def sanitised_failures() -> Iterator[None]:
    """Let an error of the block through as a `Failure`, retried only if it may pass by itself.

    Raises:
        Failure: Anything went wrong; with the error's message and hint if it is one of ours.
    """
    try:
        yield
    except SmsEtlError as exc:
        # From None: what it was raised from may quote a row.
        raise dg.Failure(
            str(exc), metadata={"error": type(exc).__name__}, allow_retries=isinstance(exc, PASSING)
        ) from None
    except Exception as exc:  # noqa: BLE001 - whatever it is, what it says must not reach the event log
        raise dg.Failure(
            f"{type(exc).__name__}: what it says may quote a message and is not shown.\n"
            "Run the same step by `sms-etl` to see it.",
            metadata={"error": type(exc).__name__, "raised at": dg.MetadataValue.md(_places(exc))},
            allow_retries=False,
        ) from None


def _places(exc: Exception) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    return "\n".join(f"- `{frame.filename}:{frame.lineno}` in `{frame.name}`" for frame in frames)
