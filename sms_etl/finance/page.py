"""Writes a report as one HTML page that needs nothing else: no network, no font, no file beside it.

The page forbids itself every request by its Content-Security-Policy and runs only the scripts whose hashes
it names, so a label from a provider or a seed file can never become code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sms_etl.finance import charts, formatting, locales, vocabulary, wording
from sms_etl.finance.combining import added
from sms_etl.finance.figures import CurrencyFigures, Figures, correction_lines, sum_of_amounts
from sms_etl.finance.markup import inline, policy, template_source
from sms_etl.finance.measures import Cost, Line
from sms_etl.finance.side_lines import (
    AccrualLine,
    FindingLine,
    WasteLine,
    budget_totals,
    conversion_totals,
    tax_totals,
)

Shown = TypeVar("Shown", WasteLine, FindingLine, AccrualLine)


@dataclass(frozen=True)
class SectionCharts:
    """What is drawn of one currency, and the longest tables of it, cut to their largest lines."""

    by_day: charts.Spec
    by_country: charts.Spec
    countries: tuple[Line, ...]
    rest: Line | None
    campaigns: tuple[Line, ...]
    other_campaigns: Line | None


@dataclass(frozen=True)
class Table(Generic[Shown]):
    """A table in one currency: its largest lines, what the others come to, and the total."""

    currency: str
    lines: tuple[Shown, ...]
    others: Shown | None
    number_of_others: int
    total: Shown


class CorrectedTotal(NamedTuple):
    """What the corrections in one currency come to, and the period with them."""

    currency: str
    correction: Decimal
    cost: Decimal
    places: int
    """The decimals at which every amount of it is exact."""


def render_page(figures: Figures, stamp: wording.Stamp) -> str:
    """Return the whole page as text."""
    library, draw = inline(_vega()), inline(template_source("draw.js"))
    drawn: dict[str, Any] = {each.currency: _section_charts(each, figures) for each in figures.currencies}
    drawn["delivery"] = charts.delivery_over_time(figures)
    return (
        _environment(is_german=locales.is_german())
        .get_template("report.html.j2")
        .render(
            figures=figures,
            charts=drawn,
            period=figures.basis.period,
            title=wording.title(figures),
            before=wording.before(figures.basis),
            basis=wording.basis(figures, stamp),
            notices=wording.notices(figures, stamp.later),
            statements=wording.statements(figures),
            corrections=correction_lines(figures.corrections),
            waste=_tables(figures.waste or ()),
            audit=_tables(added(figures.audit or (), ("currency", "finding"))),
            accruals=_accruals(figures),
            corrected=_corrected(figures),
            budget_totals=budget_totals(figures.budgets) if figures.months else (),
            conversion_totals=conversion_totals(figures.conversions) if figures.months else (),
            tax_totals=tax_totals(figures.taxes),
            without_rates=wording.without_rates(figures),
            month_states=vocabulary.MONTH_STATES,
            definitions=vocabulary.DEFINITIONS,
            policy=policy(library, draw),
            style=inline(template_source("report.css")),
            library=library,
            draw=draw,
        )
    )


def _section_charts(section: CurrencyFigures, figures: Figures) -> SectionCharts:
    named, rest = _largest(section.countries, "countries")
    campaigns, other_campaigns = _largest(section.campaigns or (), "campaigns")
    return SectionCharts(
        by_day=charts.cost_over_time(section, figures),
        by_country=charts.cost_by_country(section.currency, (*named, rest) if rest else named),
        countries=named,
        rest=rest,
        campaigns=campaigns,
        other_campaigns=other_campaigns,
    )


def _largest(lines: tuple[Line, ...], of: str) -> tuple[tuple[Line, ...], Line | None]:
    """Return the first lines, and what the others come to."""
    named, others = lines[: charts.LARGEST], lines[charts.LARGEST :]
    rest = Line(f"{len(others)} other {of}", sum((each.cost for each in others), Cost())) if others else None
    return named, rest


def _tables(lines: Sequence[Shown]) -> list[Table[Shown]]:
    """Return a table for each currency, its lines in the order given."""
    tables = []
    for currency in sorted({each.currency for each in lines}):
        mine = tuple(each for each in lines if each.currency == currency)
        named, others = mine[: charts.LARGEST], mine[charts.LARGEST :]
        (total,) = added(mine, ("currency",))
        tables.append(
            Table(currency, named, next(iter(added(others, ("currency",))), None), len(others), total)
        )
    return tables


def _accruals(figures: Figures) -> list[tuple[Table[AccrualLine], AccrualLine]]:
    """Return what has no price yet, dearest first, and all of the currency for the estimate's error."""
    every = figures.accruals or ()
    waiting = sorted((each for each in every if each.unpriced), key=lambda each: -each.estimated_cost)
    totals = {each.currency: each for each in added(every, ("currency",))}
    return [(table, totals[table.currency]) for table in _tables(waiting)]


def _corrected(figures: Figures) -> list[CorrectedTotal]:
    """Return what the period comes to in the currencies in which corrections are booked to it."""
    found = []
    for total in figures.totals:
        booked = [each for each in figures.corrections if each.currency == total.currency]
        if booked:
            costs = [part.cost_in(total.currency).cost for part in figures.months]
            places = max(formatting.places_of(each) for each in (*costs, *(each.amount for each in booked)))
            found.append(CorrectedTotal(total.currency, sum_of_amounts(booked), total.cost, places))
    return found


@cache
def _environment(*, is_german: bool) -> Environment:
    """Return where the page's template is compiled, once a locale: that takes longer than to render it."""
    environment = Environment(
        loader=PackageLoader("sms_etl.finance"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    filters: dict[str, Callable[..., object]] = {
        "count": formatting.count,
        "money": formatting.money,
        "exact": formatting.exact,
        "exact_places": wording.exact_places,
        "price_per_part": wording.price_per_part,
        "left_out_price": wording.left_out_price,
        "left_out_remarks": wording.left_out_remarks,
        "key_name": wording.key_name,
        "correction_kind": vocabulary.correction_kind,
        "signed": formatting.signed,
        "signed_count": formatting.signed_count,
        "month": formatting.month_name,
        "share": formatting.share,
        "share_of": wording.share_of,
        "change": formatting.change,
        "change_in_points": formatting.change_in_points,
        "time_in_period": formatting.time_in_period,
        "with_currency": formatting.with_currency,
        "sign": locales.sign,
        "waste_kind": vocabulary.waste_kind,
        "finding": vocabulary.finding,
        "budget_state": vocabulary.budget_state,
        "tax_name": vocabulary.tax_name,
        "cost_centre_name": vocabulary.cost_centre_name,
        "estimate_error": wording.estimate_error,
        "signed_share": formatting.signed_share,
        "weekday": locales.weekday,
        "breakable": _breakable,
    }
    environment.filters.update(filters)
    environment.globals["is_german"] = is_german  # macros do not see what a template is given
    return environment


def _breakable(uuid: str) -> Markup:
    """Let a uuid go on in the next line where a table is too wide for it, and only there."""
    return Markup("-<wbr>").join(uuid.split("-"))


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, 0.9 MB; bundling takes 2 s."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
