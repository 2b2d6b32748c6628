"""What somebody is told of: an incident, and what is open of them. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Where it is known from. What one source says is over only once that source could be read."""

    SYNC = "sync"
    """The warehouse: how the last sync ended, what it left, which checks failed."""
    FIGURES = "figures"
    """The published copy: how old the figures are, and what they show."""
    DAGSTER = "dagster"
    """Runs of Dagster."""


@dataclass(frozen=True)
class Incident:
    """One thing that is wrong for as long as it has the same key."""

    source: Source
    name: str
    """Stays the same while counts and times in the title change."""
    title: str
    text: str
    """Quotes no number, no text of a message, no sender: it leaves this machine."""
    command: str
    """What to run next."""
    is_alarm: bool = False
    """Figures may be wrong or old; else they are right and show something."""

    @property
    def key(self) -> str:
        """What it is recognised by."""
        return f"{self.source}/{self.name}"

    def as_json(self) -> dict[str, str | bool]:
        """Return it as plain JSON values."""
        return {
            "incident": self.key,
            "title": self.title,
            "text": self.text,
            "command": self.command,
            "is_alarm": self.is_alarm,
        }


@dataclass(frozen=True)
class Open:
    """What is wrong now, and which sources could be asked."""

    incidents: tuple[Incident, ...]
    sources: frozenset[Source]

    def __add__(self, other: "Open") -> "Open":
        """Return what both know."""
        return Open((*self.incidents, *other.incidents), self.sources | other.sources)


NOTHING = Open((), frozenset())
"""What is known when nothing was asked."""
