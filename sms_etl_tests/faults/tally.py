"""Counts what the fault suite did, and writes the counts as a table between two marks of a document."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- counts: written by make test-faults -->", "<!-- end of counts -->"
_HEADINGS = ("what", "cases", "syncs", "faults", "kills", "requests", "rows compared")


@dataclass
class Tally:
    """What was done under one heading."""

    what: str
    cases: int = 1
    syncs: int = 0
    faults: int = 0
    kills: int = 0
    requests: int = 0
    rows: int = 0

    def as_property(self) -> dict[str, Any]:
        """Return it as plain values, which travel from a worker to the one that prints."""
        return asdict(self)


def added_up(tallies: Iterable[Mapping[str, Any]]) -> list[Tally]:
    """Return one tally a heading, and one of all at the end."""
    by_heading: dict[str, Tally] = {}
    total = Tally("all together", cases=0)
    for values in tallies:
        one = Tally(**values)
        for sum_ in (by_heading.setdefault(one.what, Tally(one.what, cases=0)), total):
            for name in ("cases", "syncs", "faults", "kills", "requests", "rows"):
                setattr(sum_, name, getattr(sum_, name) + getattr(one, name))
    return [*by_heading.values(), total]


def table_of(tallies: Iterable[Tally]) -> str:
    """Return the counts as a table in Markdown."""
    lines = ["| " + " | ".join(_HEADINGS) + " |", "|---" + "|---:" * (len(_HEADINGS) - 1) + "|"]
    lines += [
        f"| {one.what} | {one.cases:,} | {one.syncs:,} | {one.faults:,} | {one.kills:,} | {one.requests:,} | "
        f"{one.rows:,} |"
        for one in tallies
    ]
    return "\n".join(lines)


def write_table(document: Path, table: str) -> None:
    """Put the table in the place of the one before.

    Raises:
        ValueError: The document has no place for it.
    """
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no place between {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
