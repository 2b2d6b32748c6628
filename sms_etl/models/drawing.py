"""Lays out what is made of what, from left to right, for a picture. Pure: numbers and names, no markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_BOX_WIDTH = 168
_BOX_HEIGHT = 26
_GAP_ACROSS = 26
_GAP_DOWN = 10
_LANE_HEIGHT = 8
"""Of an arrow on its way past a column of boxes."""
_MARGIN = 8
_SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """A relation in the picture; in pixels, from the top left corner."""

    name: str
    x: float
    y: float
    width: float = _BOX_WIDTH
    height: float = _BOX_HEIGHT

    @property
    def schema(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]

    @property
    def table(self) -> str:
        """The second part of its name."""
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Arrow:
    """From a relation to one that is made of it; `path` is SVG's `d`."""

    start: str
    end: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """A picture of relations, each in a column right of all that it is made of."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


@dataclass
class _Place:
    """A box, or where an arrow passes a column that it does not end in."""

    name: str | None
    column: int
    left: "list[_Place]"
    right: "list[_Place]"
    y: float = 0

    @property
    def height(self) -> float:
        return _LANE_HEIGHT if self.name is None else _BOX_HEIGHT


def draw(reads: Mapping[str, Sequence[str]]) -> Drawing:
    """Lay out relations.

    Args:
        reads: What each relation is made of; what is made of nothing is there with nothing. No circles.
    """
    depths: dict[str, int] = {}
    for name in reads:
        _depth(name, reads, depths)
    places = {name: _Place(name, depths[name], [], []) for name in reads}
    columns: list[list[_Place]] = [[] for _ in range(max(depths.values(), default=0) + 1)]
    for name in sorted(reads):
        columns[depths[name]].append(places[name])
    ways = [
        _way(places[start], places[end], columns)
        for end in sorted(reads)
        for start in sorted(reads[end])
        if start in places
    ]
    _order(columns)
    height = _stack(columns)
    boxes = tuple(Box(name, _x(place.column), place.y) for name, place in places.items())
    arrows = tuple(Arrow(str(way[0].name), str(way[-1].name), _path(way)) for way in ways)
    width = _x(len(columns) - 1) + _BOX_WIDTH + _MARGIN
    return Drawing(boxes, arrows, width, height)


def _depth(name: str, reads: Mapping[str, Sequence[str]], depths: dict[str, int]) -> int:
    if name not in depths:
        depths[name] = max(
            (_depth(each, reads, depths) + 1 for each in reads[name] if each in reads), default=0
        )
    return depths[name]


def _way(start: _Place, end: _Place, columns: list[list[_Place]]) -> list[_Place]:
    """Return the places an arrow passes, one a column, and link them."""
    between = [_Place(None, column, [], []) for column in range(start.column + 1, end.column)]
    for place in between:
        columns[place.column].append(place)
    way = [start, *between, end]
    for before, after in pairwise(way):
        before.right.append(after)
        after.left.append(before)
    return way


def _order(columns: list[list[_Place]]) -> None:
    """Bring what is linked to like heights, so that few arrows cross."""
    for column in columns:
        _number(column)
    for sweep in range(_SWEEPS):
        is_forth = sweep % 2 == 0
        for column in columns if is_forth else reversed(columns):
            means = {id(place): _mean(place, place.left if is_forth else place.right) for place in column}
            column.sort(key=lambda place: means[id(place)])
            _number(column)


def _number(column: list[_Place]) -> None:
    for number, place in enumerate(column):
        place.y = number - len(column) / 2


def _mean(place: _Place, linked: Sequence[_Place]) -> float:
    return sum(each.y for each in linked) / len(linked) if linked else place.y


def _stack(columns: list[list[_Place]]) -> float:
    """Give each place its height from the top, columns centred; return the whole height."""
    heights = [sum(place.height + _GAP_DOWN for place in column) - _GAP_DOWN for column in columns]
    whole = max(heights, default=0)
    for column, height in zip(columns, heights, strict=True):
        y = _MARGIN + (whole - height) / 2
        for place in column:
            place.y = y
            y += place.height + _GAP_DOWN
    return whole + 2 * _MARGIN


def _x(column: int) -> float:
    return _MARGIN + column * (_BOX_WIDTH + _GAP_ACROSS)


def _path(way: Sequence[_Place]) -> str:
    """Return a curve from the right of the first box to the left of the last one, level past each column."""
    parts: list[str] = []
    for before, after in pairwise(way):
        x0, y0 = _x(before.column) + _BOX_WIDTH, before.y + before.height / 2
        x1, y1 = _x(after.column), after.y + after.height / 2
        middle = (x0 + x1) / 2
        begin = f"M{x0:g} {y0:g}" if not parts else f"L{x0:g} {y0:g}"
        parts.append(f"{begin}C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}")
    return "".join(parts)
