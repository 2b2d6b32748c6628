"""What loading counts."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class LoadCounts:
    """What loading counts. A run's result has these fields, and `ops.sync_run` columns of their names."""

    windows: int = 0
    pages: int = 0
    rows_seen: int = 0
    rows_new: int = 0
    rows_changed: int = 0
    rows_gone: int = 0
    """Rows the provider says are deleted, pruned ones included."""
    rows_pruned: int = 0
    """Of them, those of spans in which the provider has nothing any more."""
    rows_quarantined: int = 0
    files_quarantined: int = 0
    """Landed files that could not be loaded and were quarantined as a whole."""
    rows_late: int = 0
    """New messages created before the watermark: they became visible late."""
    prices_rounded: int = 0
    """Prices with binary noise, taken as the amount with six decimals beside them."""
    unknown_fields: tuple[str, ...] = ()
    """Fields of the provider that were seen for the first time."""

    def __add__(self, other: "LoadCounts") -> "LoadCounts":
        names = [field.name for field in fields(LoadCounts)]
        return LoadCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})
