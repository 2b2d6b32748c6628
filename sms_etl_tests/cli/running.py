"""How tests run a command, and read what it prints."""

import json
from collections.abc import Callable
from typing import Any

from click.testing import Result

from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle

Run = Callable[..., Result]
Clerk = Callable[..., tuple[int, dict[str, Any]]]


def the_object(result: Result) -> dict[str, Any]:
    """Read stdout as exactly one JSON object."""
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def insert_bad_rows(provider: SandboxHandle, *extras: dict[str, Any]) -> list[str]:
    now = to_unix(provider.now())
    return provider.insert(
        *({"created_at": now, "extra": extra, "phone": "+4917612345678"} for extra in extras)
    )


def clerk_of(run: Run, provider: SandboxHandle, **settings: str) -> Clerk:
    """Return what runs a command at the provider's present moment, and gives its exit code and its JSON."""

    def runs(*words: str) -> tuple[int, dict[str, Any]]:
        result = run(
            *words,
            "--json",
            lox24_token=provider.token,
            lox24_base_url=provider.url,
            now=provider.now().isoformat(),
            **settings,
        )
        return result.exit_code, the_object(result)

    return runs
