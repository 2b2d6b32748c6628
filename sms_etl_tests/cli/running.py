"""How tests run a command, and read what it prints."""

import json
from collections.abc import Callable
from typing import Any

from click.testing import Result

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle

Run = Callable[..., Result]


def the_object(result: Result) -> dict[str, Any]:
    """Read stdout as exactly one JSON object."""
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def insert_bad_rows(provider: SandboxHandle, *extras: dict[str, Any]) -> list[str]:
    now = to_unix(provider.now())
    return provider.insert(
        *({"created_at": now, "extra": extra, "phone": "+4917612345678"} for extra in extras)
    )
