"""Writes the report as one HTML page that needs nothing else: no network, no font, no file beside it.

The page forbids itself every request by its Content-Security-Policy and runs only the scripts whose hashes
it names, so a label from a provider or a seed file can never become code.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sms_etl.finance import charts, wording
from sms_etl.finance.figures import Cost, CurrencyFigures, Figures, Line


@dataclass(frozen=True)
class SectionCharts:
    """What is drawn of one currency, and the lines of the table beside the country chart."""

    by_day: charts.Spec
    by_country: charts.Spec
    countries: tuple[Line, ...]
    rest: Line | None


def render_page(figures: Figures, *, generated_at: datetime) -> str:
    """Return the whole page as text."""
    library, draw = _inline(_vega()), _inline(_source("draw.js"))
    drawn: dict[str, Any] = {each.currency: _section_charts(each, figures) for each in figures.currencies}
    drawn["delivery"] = charts.delivery_by_day(figures.days, figures.basis)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            figures=figures,
            charts=drawn,
            title=wording.title(figures),
            month=wording.month_name(figures.basis.month),
            before=wording.before(figures.basis),
            basis=wording.basis(figures, generated_at),
            notices=wording.notices(figures),
            statements=wording.statements(figures),
            definitions=wording.DEFINITIONS,
            policy=_policy(library, draw),
            style=_inline(_source("report.css")),
            library=library,
            draw=draw,
        )
    )


def _section_charts(section: CurrencyFigures, figures: Figures) -> SectionCharts:
    named, others = section.countries[: charts.LARGEST], section.countries[charts.LARGEST :]
    rest = (
        Line(f"{len(others)} other countries", sum((each.cost for each in others), Cost()))
        if others
        else None
    )
    return SectionCharts(
        by_day=charts.cost_by_day(section, figures.basis),
        by_country=charts.cost_by_country(section.currency, (*named, rest) if rest else named),
        countries=named,
        rest=rest,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sms_etl.finance"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    filters: dict[str, Callable[..., object]] = {
        "count": wording.count,
        "money": wording.money,
        "exact": wording.exact,
        "exact_places": wording.exact_places,
        "price_per_part": wording.price_per_part,
        "left_out_price": wording.left_out_price,
        "left_out_remarks": wording.left_out_remarks,
        "key_name": wording.key_name,
        "share": wording.share,
        "share_of": wording.share_of,
        "change": wording.change,
        "change_in_points": wording.change_in_points,
        "time_in_month": wording.time_in_month,
        "weekday": _weekday,
        "breakable": _breakable,
    }
    environment.filters.update(filters)
    return environment


def _weekday(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def _breakable(uuid: str) -> Markup:
    """Let a uuid go on in the next line where a table is too wide for it, and only there."""
    return Markup("-<wbr>").join(uuid.split("-"))


def _source(name: str) -> str:
    return files("sms_etl.finance").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, 0.9 MB; bundling takes 2 s."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _inline(source: str) -> Markup:
    """Mark a file of ours, or the library, as what may stand in the page unescaped."""
    return Markup(source.replace("\r\n", "\n").replace("</script", "<\\/script"))  # noqa: S704 - no outside text


def _policy(*scripts: str) -> str:
    """Forbid every request, and every script but these."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
