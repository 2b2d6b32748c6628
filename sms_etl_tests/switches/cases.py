"""Every switch of the sandbox with the values that are tried, and sets of switches in which each pair occurs.

The switches are those of `SandboxSwitches`: one without a value here fails a test.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sms_etl.sandbox.control.switches import SandboxSwitches

Switches = Mapping[str, Any]

DEFAULTS: Switches = {field.name: field.default for field in fields(SandboxSwitches)}
NUMBERS: Mapping[str, Sequence[Any]] = {
    "page_size": (7,),
    "total_cap": (7, 40),
    "price_noise_every": (3,),
    "longest_url": (600,),
    "requests_per_second": (60,),
    "rate_limit_retry_after": (1,),
    "latency_ms": (3,),
    "visible_after_seconds": (1800,),
    "visible_late_every": (3,),
    "keep_days": (2,),
    "late_price_every": (4,),
    "late_price_after_seconds": (3600,),
    "bulk_messages_per_second": (5,),
    "webhook_retry_seconds": ((1, 2, 3),),
    "twosms_error_code": (7,),
}
"""Of switches with more values than can be tried."""

STOPPING: frozenset[tuple[str, Any]] = frozenset(
    {
        ("is_activated", False),
        ("row_format", "iso_times"),
        ("row_format", "text_numbers"),
        ("row_format", "text_integers"),
        ("row_format", "int_booleans"),
    }
)
"""Values under which nothing can be loaded; in a set with others they would hide what those do."""


def values_of(name: str) -> tuple[Any, ...]:
    """Return the values of a switch that are tried beside its default."""
    hint = get_type_hints(SandboxSwitches)[name]
    if hint is bool:
        return (not DEFAULTS[name],)
    if get_origin(hint) is Literal:
        return tuple(value for value in get_args(hint) if value != DEFAULTS[name])
    return tuple(NUMBERS[name])


def single() -> list[tuple[str, Any]]:
    """Return each switch with each value beside its default."""
    return [(name, value) for name in DEFAULTS for value in values_of(name)]


def in_pairs() -> list[Switches]:
    """Return sets of switches in which every two values of two switches, defaults too, occur together.

    Greedy: each set takes, switch by switch, the value with which most pairs are new. Values that stop
    everything come in sets of their own, beside all others.
    """
    values = {
        name: [each for each in (DEFAULTS[name], *values_of(name)) if (name, each) not in STOPPING]
        for name in DEFAULTS
    }
    rows = _covering(values)
    beside_stops = _until_each_value_occurred(rows)
    return [
        *rows,
        *({**row, name: value} for name, value in sorted(STOPPING, key=str) for row in beside_stops),
    ]


def _until_each_value_occurred(rows: Sequence[Switches]) -> list[Switches]:
    seen: set[tuple[str, Any]] = set()
    taken: list[Switches] = []
    for row in rows:
        if not row.items() <= seen:
            seen.update(row.items())
            taken.append(row)
    return taken


def pairs_of(row: Switches) -> set[frozenset[tuple[str, Any]]]:
    """Return the pairs of values that occur in a set."""
    return {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}


def _covering(values: Mapping[str, Sequence[Any]]) -> list[Switches]:
    missing = {
        frozenset({(one, a), (other, b)})
        for one, other in itertools.combinations(values, 2)
        for a in values[one]
        for b in values[other]
    }
    rows: list[Switches] = []
    while missing:
        row: dict[str, Any] = dict(min(missing, key=lambda pair: sorted(map(str, pair))))
        for name in values:
            if name not in row:
                row[name] = max(values[name], key=lambda value: _new_pairs(row, name, value, missing))
        missing -= pairs_of(row)
        rows.append({name: row[name] for name in values})
    return rows


def _new_pairs(row: Switches, name: str, value: object, missing: set[frozenset[tuple[str, Any]]]) -> int:
    return sum(frozenset({(name, value), other}) in missing for other in row.items())


def differing(row: Switches) -> dict[str, Any]:
    """Return the switches of a set that are not at their default."""
    return {name: value for name, value in row.items() if value != DEFAULTS[name]}
