"""Counts what came of changes, and reads which survivors are accepted."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

_HANDFUL = 20
"""Of fewer changes than this, three that survive would already be more than a share of 75 % allows."""


@dataclass(slots=True)
class Count:
    """How many changes were tried, and how many of them are noticed or accepted; how many suites failed."""

    tried: int = 0
    good: int = 0
    failed: int = 0

    def is_short_of(self, share: float) -> bool:
        """Tell whether fewer percent than that are good; of a handful, a part is no measure."""
        if share < 100 and self.tried < _HANDFUL:
            return False
        return self.good < self.tried * share / 100


def accepted() -> dict[str, dict[str, str]]:
    """Return the reason why a survivor is accepted, by its name, by module or model."""
    return tomllib.loads((Path(__file__).parent / "accepted.toml").read_text())
