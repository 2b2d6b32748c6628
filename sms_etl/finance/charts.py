"""Draws the page's charts as Vega-Lite specifications, data included. Pure; `page.py` puts them in the page.

Bars are drawn from floats, since a pixel is not a cent; tooltips carry the exact amount as text.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt

from sms_etl.finance import locales
from sms_etl.finance.figures import Basis, CurrencyFigures, Figures
from sms_etl.finance.formatting import count, share, with_currency
from sms_etl.finance.measures import Cost, Line
from sms_etl.finance.palette import BAR, GRID, INK, OUTCOMES, PARTING, QUIET
from sms_etl.finance.period import Period

Spec = dict[str, Any]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
LARGEST = 15
"""Countries drawn and listed by name; the others are one line."""
DAY_HEIGHT, LINE_HEIGHT = 210, 24
_GERMAN_NUMBERS = {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", "\u00a0€"]}
"""As d3-format takes them."""


def cost_over_time(section: CurrencyFigures, figures: Figures) -> Spec:
    """Draw one bar a day, or of a year one a month; those without messages have their place too."""
    costs = [(each.day, each.cost) for each in section.days]
    if _is_by_month(figures.basis.period):
        costs = [(each.month, each.cost_in(section.currency)) for each in figures.months]
    rows = [
        {
            "day": moment.isoformat(),
            "cost": float(cost.cost),
            "Cost": with_currency(section.currency, cost.cost),
            "Messages": count(cost.messages),
            "When": _when(moment, figures.basis.period),
        }
        for moment, cost in costs
        if cost != Cost()
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(color=BAR)
        .encode(
            x=_moments(figures.basis),
            y=alt.Y("cost:Q", title=section.currency, axis=_amounts(",~f")),
            tooltip=[_when_tooltip(figures.basis), alt.Tooltip("Cost:N"), alt.Tooltip("Messages:N")],
        )
    )
    unit = "month" if _is_by_month(figures.basis.period) else "day"
    return _spec(chart, height=DAY_HEIGHT, says=f"Cost by {unit} in {section.currency}")


def delivery_over_time(figures: Figures) -> Spec:
    """Draw one bar a day, or of a year one a month, stacked by what became of the messages."""
    counted = [(each.day, each.delivery) for each in figures.days]
    if _is_by_month(figures.basis.period):
        counted = [(each.month, each.delivery) for each in figures.months]
    rows = [
        {
            "day": moment.isoformat(),
            "messages": number,
            "Outcome": outcome,
            "order": order,
            "Messages": count(number),
            "Delivery rate": share(delivery.delivery_rate),
            "Of accepted": share(delivery.accepted_delivery_rate),
            "When": _when(moment, figures.basis.period),
        }
        for moment, delivery in counted
        for order, outcome in enumerate(OUTCOMES)
        if (number := getattr(delivery, outcome))
    ]
    present = [outcome for outcome in OUTCOMES if any(row["Outcome"] == outcome for row in rows)]
    colours = alt.Scale(domain=present, range=[OUTCOMES[outcome] for outcome in present])
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(stroke=PARTING, strokeWidth=0.6)
        .encode(
            x=_moments(figures.basis),
            y=alt.Y("messages:Q", title="messages", axis=_amounts(",d")),
            color=alt.Color("Outcome:N", scale=colours, legend=alt.Legend(orient="top", title=None)),
            order=alt.Order("order:Q"),
            tooltip=[
                _when_tooltip(figures.basis),
                alt.Tooltip("Outcome:N"),
                alt.Tooltip("Messages:N"),
                alt.Tooltip("Delivery rate:N"),
                alt.Tooltip("Of accepted:N", title="Accepted delivery rate"),
            ],
        )
    )
    unit = "month" if _is_by_month(figures.basis.period) else "day"
    return _spec(chart, height=DAY_HEIGHT, says=f"Messages by {unit} and outcome")


def cost_by_country(currency: str, lines: Sequence[Line]) -> Spec:
    """Draw one bar a line, in the order given."""
    rows = [
        {
            "label": each.label,
            "cost": float(each.cost.cost),
            "Cost": with_currency(currency, each.cost.cost),
            "Messages": count(each.cost.messages),
        }
        for each in lines
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(color=BAR, height={"band": 0.72})
        .encode(
            x=alt.X("cost:Q", title=None, axis=None),
            y=alt.Y(
                "label:N", sort=None, title=None, axis=alt.Axis(labelLimit=190, ticks=False, domain=False)
            ),
            tooltip=[
                alt.Tooltip("label:N", title="Country"),
                alt.Tooltip("Cost:N"),
                alt.Tooltip("Messages:N"),
            ],
        )
    )
    return _spec(chart, height=LINE_HEIGHT * len(rows), says=f"Cost by country in {currency}")


def _is_by_month(period: Period) -> bool:
    """Whether time is drawn by month: 365 bars are more than a page has room for."""
    return period.kind == "year"


def _moments(basis: Basis) -> alt.X:
    """A place for each day, labelled with its number; of a quarter with its months, of a year one a month."""
    period = basis.period
    if _is_by_month(period):
        every, labels = list(period.months), period.months
    else:
        number = (period.last_day - period.first).days + 1
        every = [period.first + timedelta(days=ahead) for ahead in range(number)]
        labels = period.months if period.count > 1 else ()
    axis: dict[str, Any] = {"labelAngle": 0, "ticks": False, "labelOverlap": True}
    if labels:
        named = ", ".join(f"'{month.isoformat()}': '{month:%b}'" for month in labels)
        axis |= {
            "values": [month.isoformat() for month in labels],
            "labelExpr": f"{{{named}}}[datum.value]",
            "labelAlign": "center" if _is_by_month(period) else "left",
        }
    else:
        axis["labelExpr"] = "toNumber(slice(datum.value, 8))"
    return alt.X(
        "day:O",
        title=None,
        scale=alt.Scale(domain=[each.isoformat() for each in every], paddingInner=0.25, paddingOuter=0.1),
        axis=alt.Axis(**axis),
    )


def _when(moment: date, period: Period) -> str:
    return f"{moment:%B %Y}" if _is_by_month(period) else locales.weekday(moment)


def _when_tooltip(basis: Basis) -> alt.Tooltip:
    return alt.Tooltip("When:N", title="Month" if _is_by_month(basis.period) else "Day")


def _amounts(form: str) -> alt.Axis:
    return alt.Axis(format=form, tickCount=5, domain=False, ticks=False)


def _data(rows: Iterable[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _spec(chart: alt.Chart, *, height: int, says: str) -> Spec:
    manner: dict[str, Any] = {"locale": {"number": _GERMAN_NUMBERS}} if locales.is_german() else {}
    drawn = chart.properties(width="container", height=height, description=says).configure(
        background="transparent", font=FONT, **manner
    )
    drawn = drawn.configure_view(stroke=None).configure_axis(
        labelColor=QUIET, titleColor=QUIET, titleFontWeight="normal", gridColor=GRID, domainColor=GRID
    )
    drawn = drawn.configure_axisX(grid=False).configure_legend(labelColor=INK, symbolType="square")
    spec: Spec = drawn.to_dict()
    return spec
