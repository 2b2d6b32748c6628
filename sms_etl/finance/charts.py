"""Draws the page's charts as Vega-Lite specifications, data included. Pure; `page.py` puts them in the page.

Bars are drawn from floats, since a pixel is not a cent; tooltips carry the exact amount as text.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import altair as alt

from sms_etl.finance.figures import Basis, CurrencyFigures, DeliveryDay, Line
from sms_etl.finance.wording import count, exact, share

Spec = dict[str, Any]

INK, QUIET, GRID, BAR = "#1f2933", "#5b6672", "#e3e7eb", "#2f5f8f"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
OUTCOMES = {
    "delivered": "#5b8db8",
    "open": "#c9d0d7",
    "cancelled": "#8d97a1",
    "expired": "#e3b23c",
    "rejected": "#d9793d",
    "failed": "#a8323e",
}
"""Colours people with any colour vision can tell apart, in the order they are stacked."""
LARGEST = 15
"""Countries drawn and listed by name; the others are one line."""
DAY_HEIGHT, LINE_HEIGHT = 210, 24


def cost_by_day(section: CurrencyFigures, basis: Basis) -> Spec:
    """Draw one bar a day of the month, days without messages included."""
    rows = [
        {
            "day": each.day.isoformat(),
            "cost": float(each.cost.cost),
            "Cost": f"{section.currency} {exact(each.cost.cost)}",
            "Messages": count(each.cost.messages),
        }
        for each in section.days
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(color=BAR)
        .encode(
            x=_days(basis),
            y=alt.Y("cost:Q", title=section.currency, axis=_amounts(",~f")),
            tooltip=[_day_tooltip(), alt.Tooltip("Cost:N"), alt.Tooltip("Messages:N")],
        )
    )
    return _spec(chart, height=DAY_HEIGHT, says=f"Cost by day in {section.currency}")


def delivery_by_day(days: Sequence[DeliveryDay], basis: Basis) -> Spec:
    """Draw one bar a day, stacked by what became of the messages."""
    rows = [
        {
            "day": each.day.isoformat(),
            "messages": number,
            "Outcome": outcome,
            "order": order,
            "Messages": count(number),
            "Delivery rate": share(each.delivery.delivery_rate),
        }
        for each in days
        for order, outcome in enumerate(OUTCOMES)
        if (number := getattr(each.delivery, outcome))
    ]
    present = [outcome for outcome in OUTCOMES if any(row["Outcome"] == outcome for row in rows)]
    colours = alt.Scale(domain=present, range=[OUTCOMES[outcome] for outcome in present])
    chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            x=_days(basis),
            y=alt.Y("messages:Q", title="messages", axis=_amounts(",d")),
            color=alt.Color("Outcome:N", scale=colours, legend=alt.Legend(orient="top", title=None)),
            order=alt.Order("order:Q"),
            tooltip=[
                _day_tooltip(),
                alt.Tooltip("Outcome:N"),
                alt.Tooltip("Messages:N"),
                alt.Tooltip("Delivery rate:N"),
            ],
        )
    )
    return _spec(chart, height=DAY_HEIGHT, says="Messages by day and outcome")


def cost_by_country(currency: str, lines: Sequence[Line]) -> Spec:
    """Draw one bar a line, in the order given."""
    rows = [
        {
            "label": each.label,
            "cost": float(each.cost.cost),
            "Cost": f"{currency} {exact(each.cost.cost)}",
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


def _days(basis: Basis) -> alt.X:
    """A place for each day of the month, labelled with its number."""
    number = (basis.last_day - basis.month).days + 1
    every = [(basis.month + timedelta(days=ahead)).isoformat() for ahead in range(number)]
    return alt.X(
        "day:O",
        title=None,
        scale=alt.Scale(domain=every, paddingInner=0.25, paddingOuter=0.1),
        axis=alt.Axis(
            labelAngle=0, ticks=False, labelExpr="toNumber(slice(datum.value, 8))", labelOverlap=True
        ),
    )


def _day_tooltip() -> alt.Tooltip:
    return alt.Tooltip("day:N", title="Day")


def _amounts(form: str) -> alt.Axis:
    return alt.Axis(format=form, tickCount=5, domain=False, ticks=False)


def _data(rows: Iterable[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _spec(chart: alt.Chart, *, height: int, says: str) -> Spec:
    drawn = chart.properties(width="container", height=height, description=says).configure(
        background="transparent", font=FONT
    )
    drawn = drawn.configure_view(stroke=None).configure_axis(
        labelColor=QUIET, titleColor=QUIET, titleFontWeight="normal", gridColor=GRID, domainColor=GRID
    )
    drawn = drawn.configure_axisX(grid=False).configure_legend(labelColor=INK, symbolType="square")
    spec: Spec = drawn.to_dict()
    return spec
