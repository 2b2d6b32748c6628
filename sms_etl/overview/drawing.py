"""Draws the page's charts as SVG, data included, without a script. Pure.

Across, everything is placed by per cent and down by pixels: a chart is as wide as its place on a screen, a
telephone or a sheet, and its letters keep their size. The axis is a picture of its own beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from markupsafe import Markup

from sms_etl.finance.palette import PARTING
from sms_etl.overview.wording import weekday

_TOP, _BOTTOM, _PLOT = 8, 34, 132
HEIGHT = _TOP + _PLOT + _BOTTOM
_AXIS_WIDTH = 54
_BAR_SHARE = Decimal("0.74")
"""Of the place of a day that its bar takes."""
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_MOST_TICKS = 4
_SATURDAY = 5
_BASE = Markup('<line class="base" x1="0" y1="{y}" x2="100%" y2="{y}"/>').format(y=_TOP + _PLOT)


@dataclass(frozen=True)
class Piece:
    """A part of a day's bar, or the whole of it."""

    value: Decimal
    colour: str
    title: str
    """What a pointer shows: exact."""


@dataclass(frozen=True)
class Column:
    """A day, its pieces from the bottom up."""

    day: date
    pieces: tuple[Piece, ...] = ()
    note: str = ""
    """Why the day's figures are not whole; drawn as hatching."""


@dataclass(frozen=True)
class Point:
    """A value of a line on a day."""

    day: date
    value: Decimal
    title: str


@dataclass(frozen=True)
class Line:
    """Points, joined where no day is missing between them."""

    name: str
    colour: str
    points: tuple[Point, ...]
    is_dashed: bool = False


def columns(
    days: Sequence[Column],
    *,
    says: str,
    unit: str,
    label: Callable[[Decimal], str],
    is_counted: bool = False,
) -> Markup:
    """Draw a bar a day.

    Args:
        days: In order, none left out.
        says: What the chart shows, for who does not see it.
        unit: What is counted, above the axis.
        label: Writes a value at the axis.
        is_counted: Values are whole numbers, and so are those at the axis.
    """
    highest = max(
        (sum((piece.value for piece in each.pieces), Decimal(0)) for each in days), default=Decimal(0)
    )
    ticks = _ticks(highest, smallest_step=Decimal(1 if is_counted else 0))
    drawn = [*_grid(ticks), *_days([each.day for each in days])]
    for place, each in enumerate(days):
        drawn += _column(place, len(days), each, ticks[-1])
    drawn.append(_BASE)  # over the bars, which have a white edge
    return _chart(drawn, _axis(ticks, label), says=says, unit=unit)


def lines(days: Sequence[date], drawn: Sequence[Line], *, says: str, unit: str) -> Markup:
    """Draw lines of shares, from 0 to 1, over days."""
    ticks = tuple(Decimal(each) / 4 for each in range(5))
    places = {day: place for place, day in enumerate(days)}
    shapes = [*_grid(ticks), *_days(days)]
    for line in drawn:
        points = [
            (_middle(places[each.day], len(days)), _down(each.value, Decimal(1)), each)
            for each in line.points
            if each.day in places
        ]
        for (x1, y1, one), (x2, y2, other) in pairwise(points):
            if places[other.day] - places[one.day] == 1:
                dash = Markup(' stroke-dasharray="4 3"') if line.is_dashed else ""
                shapes.append(
                    Markup('<line x1="{}%" y1="{}" x2="{}%" y2="{}" stroke="{}" stroke-width="2"{}/>').format(
                        x1, y1, x2, y2, line.colour, dash
                    )
                )
        for x, y, each in points:
            fill = PARTING if line.is_dashed else line.colour
            shapes.append(
                Markup(
                    '<circle cx="{}%" cy="{}" r="3.5" fill="{}" stroke="{}" stroke-width="1.5">'
                    "<title>{}</title></circle>"
                ).format(x, y, fill, line.colour, each.title)
            )
    shapes.append(_BASE)
    return _chart(shapes, _axis(ticks, lambda tick: f"{tick * 100:.0f} %"), says=says, unit=unit)


def _column(place: int, number: int, column: Column, top: Decimal) -> Iterator[Markup]:
    width = Decimal(100) / number
    left, bar = width * place + width * (1 - _BAR_SHARE) / 2, width * _BAR_SHARE
    if column.note:
        yield Markup(
            '<rect class="gap" x="{}%" y="{}" width="{}%" height="{}" fill="url(#hatched)">'
            "<title>{}</title></rect>"
        ).format(_number(width * place), _TOP, _number(width), _PLOT, f"{weekday(column.day)}: {column.note}")
    under = Decimal(0)
    for piece in column.pieces:
        if not piece.value:
            continue
        y1, y2 = _down(under + piece.value, top), _down(under, top)
        yield Markup(
            '<rect class="bar" x="{}%" y="{}" width="{}%" height="{}" fill="{}"><title>{}</title></rect>'
        ).format(_number(left), y1, _number(bar), max(y2 - y1, Decimal("0.5")), piece.colour, piece.title)
        under += piece.value


def _grid(ticks: Sequence[Decimal]) -> Iterator[Markup]:
    for tick in ticks:
        y = _down(tick, ticks[-1])
        yield Markup('<line class="grid" x1="0" y1="{}" x2="100%" y2="{}"/>').format(y, y)


def _axis(ticks: Sequence[Decimal], label: Callable[[Decimal], str]) -> Iterator[Markup]:
    for tick in ticks:
        y = _down(tick, ticks[-1]) + 4
        yield Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
            _AXIS_WIDTH - 8, y, label(tick)
        )


def _days(days: Sequence[date]) -> Iterator[Markup]:
    """Label each day by its number and each month by its name; on a telephone only Mondays, by both."""
    for place, day in enumerate(days):
        x = _middle(place, len(days))
        kind = "each free" if day.weekday() >= _SATURDAY else "each"
        yield Markup('<text class="{}" x="{}%" y="{}">{}</text>').format(kind, x, _TOP + _PLOT + 15, day.day)
        if place == 0 or day.day == 1:
            yield Markup('<text class="each" x="{}%" y="{}">{}</text>').format(
                x, _TOP + _PLOT + 29, f"{day:%b}"
            )
        if day.weekday() == 0:
            yield Markup('<text class="week" x="{}%" y="{}">{}</text>').format(
                x, _TOP + _PLOT + 15, f"{day.day} {day:%b}"
            )


def _chart(shapes: Sequence[Markup], axis: Iterator[Markup], *, says: str, unit: str) -> Markup:
    """Put axis and plot beside each other; to who does not see them it is one picture with a text."""
    return Markup(
        '<figure class="drawn" role="img" aria-label="{says}">'
        '<figcaption aria-hidden="true">{unit}</figcaption>'
        '<svg class="axis" width="{axis_width}" height="{height}" aria-hidden="true">{axis}</svg>'
        '<svg class="plot" width="100%" height="{height}" aria-hidden="true">{shapes}</svg></figure>'
    ).format(
        says=says,
        unit=unit,
        axis_width=_AXIS_WIDTH,
        height=HEIGHT,
        axis=Markup("").join(axis),
        shapes=Markup("\n").join(shapes),
    )


def _ticks(highest: Decimal, *, smallest_step: Decimal) -> tuple[Decimal, ...]:
    """Return round numbers from 0 to at least the highest value."""
    if highest <= 0:
        return (Decimal(0), Decimal(1))
    scale = Decimal(1).scaleb((highest / _MOST_TICKS).adjusted())
    step = next(scale * each for each in _STEPS if scale * each * _MOST_TICKS >= highest)
    step = max(step, smallest_step)
    number = next(each for each in range(1, _MOST_TICKS + 1) if step * each >= highest)
    return tuple(step * each for each in range(number + 1))


def _down(value: Decimal, top: Decimal) -> Decimal:
    return _number(_TOP + _PLOT - value * _PLOT / top)


def _middle(place: int, number: int) -> Decimal:
    return _number((Decimal(place) + Decimal("0.5")) * 100 / number)


def _number(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"))
