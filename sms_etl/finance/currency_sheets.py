"""Lays out the sheets of one currency: its cost by everything that it is broken down by. Pure.

Cost is broken down by day, month, country, cost centre, service and campaign, and by cost centre, country and
service together, so that any cell of one sheet can be summed up from another.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

from sms_etl.finance import vocabulary, wording
from sms_etl.finance.figures import Correction, CurrencyFigures, Figures, sum_of_amounts
from sms_etl.finance.measures import Cost, Line
from sms_etl.finance.palette import BAR
from sms_etl.finance.sheets import (
    Column,
    Drawing,
    Kind,
    Laid,
    Ratio,
    Series,
    Sheet,
    Value,
    rounded_down,
    summed,
)
from sms_etl.finance.side_lines import AccrualLine, tax_totals


def sheets_of(section: CurrencyFigures, figures: Figures) -> Iterable[Laid]:
    """Lay out the sheets of one currency\'s cost; a table without rows has none."""
    currency, total = section.currency, section.total
    if figures.months:
        yield _months(section, figures), None
    days = Sheet(
        f"{currency} days",
        _title("Cost by day", section, figures),
        (Column("Day", Kind.DAY, 12, "Total"), *_cost_columns(currency, total)),
        [(each.day, *_cost_values(each.cost)) for each in section.days],
    )
    cost = next(at for at, column in enumerate(days.columns) if column.kind is Kind.MONEY)
    drawn = [Series(f"Cost, {currency}", cost, BAR)]
    yield days, Drawing(f"Cost by day, {currency}", drawn, {"type": "column"})
    countries = _breakdown("country", section.countries, section, figures)
    yield countries, Drawing(f"Cost by country, {currency}", drawn, {"type": "bar"})
    yield _breakdown("cost centre", section.cost_centres, section, figures), None
    yield _breakdown("service", section.services, section, figures), None
    if section.campaigns is not None:
        yield _breakdown("campaign", section.campaigns, section, figures), None
    if section.unassigned:
        yield _unassigned(section, figures), None
    yield _detail(section, figures), None
    if section.bulks:
        yield _bulks(section, figures), None


def _months(section: CurrencyFigures, figures: Figures) -> Sheet:
    """Lay out what the months of a quarter or a year come to, with corrections, and the digest of each."""
    booked = sum((each.correction_in(section.currency) for each in figures.months), Decimal(0))
    return Sheet(
        f"{section.currency} months",
        _title("Cost by month", section, figures),
        (
            Column("Month", Kind.TEXT, 12, "Total"),
            Column("State", Kind.TEXT, 24),
            *_cost_columns(section.currency, section.total),
            Column(f"Corrections, {section.currency}", Kind.MONEY, 18, booked, is_summed=True),
            Column(
                f"With corrections, {section.currency}",
                Kind.MONEY,
                18,
                section.total.cost + booked,
                is_summed=True,
            ),
            Column("Digest of the month's report", Kind.TEXT, 70),
        ),
        [
            (
                f"{each.month:%Y-%m}",
                each.state.value,
                *_cost_values(each.cost_in(section.currency)),
                each.correction_in(section.currency),
                each.total_in(section.currency),
                each.digest or "",
            )
            for each in figures.months
        ],
    )


def _breakdown(name: str, lines: Sequence[Line], section: CurrencyFigures, figures: Figures) -> Sheet:
    plural, cost = {"country": "countries"}.get(name, f"{name}s"), cost_heading(section.currency)
    return Sheet(
        f"{section.currency} {plural}",
        _title(f"Cost by {name}", section, figures),
        (
            Column(name.capitalize(), Kind.TEXT, 28, "Total"),
            *_cost_columns(section.currency, section.total),
            Column(
                "Share of cost",
                Kind.SHARE,
                12,
                rounded_down(wording.share_of(section.total, section.total)),
                ratio=Ratio(cost, cost, is_of_all=True),
            ),
        ),
        [
            (each.label, *_cost_values(each.cost), rounded_down(wording.share_of(each.cost, section.total)))
            for each in lines
        ],
    )


def _detail(section: CurrencyFigures, figures: Figures) -> Sheet:
    return Sheet(
        f"{section.currency} detail",
        _title("Cost by cost centre, country and service", section, figures),
        (
            Column("Cost centre", Kind.TEXT, 24, "Total"),
            Column("Country", Kind.TEXT, 24),
            Column("Code", Kind.TEXT, 8),
            Column("Service", Kind.TEXT, 16),
            *_cost_columns(section.currency, section.total),
        ),
        [
            (each.cost_centre, each.country, each.country_code, each.service, *_cost_values(each.cost))
            for each in section.items
        ],
    )


def _unassigned(section: CurrencyFigures, figures: Figures) -> Sheet:
    keys = section.unassigned
    return Sheet(
        f"{section.currency} unassigned",
        _title("Unassigned messages by API key", section, figures),
        (
            Column("API key", Kind.TEXT, 20, "Total"),
            summed("Messages", Kind.COUNT, 12, (each.messages for each in keys)),
            summed(cost_heading(section.currency), Kind.MONEY, 18, (each.cost for each in keys)),
        ),
        [(wording.key_name(each), each.messages, each.cost) for each in keys],
    )


def _bulks(section: CurrencyFigures, figures: Figures) -> Sheet:
    zone = figures.basis.timezone
    bulks = section.bulks
    return Sheet(
        f"{section.currency} bulks",
        _title("Bulks created in the period, with all of their messages", section, figures),
        (
            Column(f"Created ({zone})", Kind.TIME, 22, "Total"),
            Column("Bulk", Kind.TEXT, 38),
            Column("Service", Kind.TEXT, 14),
            Column("Cost centre", Kind.TEXT, 20),
            Column("Status", Kind.TEXT, 16),
            summed("Messages", Kind.COUNT, 12, (each.messages for each in bulks)),
            summed("Delivered", Kind.COUNT, 12, (each.delivered for each in bulks)),
            summed(f"Cost, {section.currency}", Kind.MONEY, 16, (each.cost for each in bulks)),
        ),
        [
            (
                each.created_at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None),
                each.bulk_id,
                each.service,
                each.cost_centre,
                each.status,
                each.messages,
                each.delivered,
                each.cost,
            )
            for each in bulks
        ],
    )


def accruals(currency: str, figures: Figures) -> Sheet:
    """Lay out what messages without a price will cost by estimate; months without any have no rows."""
    lines = [
        each
        for each in sorted(figures.accruals or (), key=_by_estimate)
        if each.currency == currency and each.unpriced
    ]
    return Sheet(
        f"{currency} accruals",
        f"Messages without a price, by estimate; not in the cost, {wording.period(figures)}, {currency}",
        (
            Column("Country", Kind.TEXT, 12, "Total"),
            Column("Service", Kind.TEXT, 16),
            summed("Messages", Kind.COUNT, 12, (each.unpriced for each in lines)),
            summed("Without estimate", Kind.COUNT, 12, (each.without_estimate for each in lines)),
            summed("Parts", Kind.COUNT, 12, (each.unpriced_parts for each in lines)),
            summed(f"Estimate, {currency}", Kind.MONEY, 18, (each.estimated_cost for each in lines)),
            summed(
                f"Estimate where priced by now, {currency}",
                Kind.MONEY,
                20,
                (each.backtest_estimate for each in lines),
            ),
            summed(f"Real cost of these, {currency}", Kind.MONEY, 18, (each.backtest_cost for each in lines)),
        ),
        [
            (
                each.country_code,
                each.service,
                each.unpriced,
                each.without_estimate,
                each.unpriced_parts,
                each.estimated_cost,
                each.backtest_estimate,
                each.backtest_cost,
            )
            for each in lines
        ],
    )


def _by_estimate(line: AccrualLine) -> tuple[Decimal, str, str]:
    """Order dearest first."""
    return -line.estimated_cost, line.country_code, line.service


def waste(currency: str, figures: Figures) -> Sheet:
    """Lay out parts that a few characters cost, by why and sender."""
    lines = [each for each in figures.waste or () if each.currency == currency]
    return Sheet(
        f"{currency} waste",
        f"Parts that a few characters cost, {wording.period(figures)}, {currency}",
        (
            Column("Why", Kind.TEXT, 46, "Total"),
            Column("Sender", Kind.TEXT, 24),
            summed("Messages", Kind.COUNT, 12, (each.messages for each in lines)),
            summed("Extra parts", Kind.COUNT, 12, (each.extra_parts for each in lines)),
            summed(f"Wasted, {currency}", Kind.MONEY, 18, (each.cost for each in lines)),
        ),
        [
            (vocabulary.waste_kind(each.kind), each.sender, each.messages, each.extra_parts, each.cost)
            for each in lines
        ],
    )


def audit(currency: str, figures: Figures) -> Sheet:
    """Lay out the audit's findings; filter by one of them for its total, for a message may be in several."""
    lines = [each for each in figures.audit or () if each.currency == currency]
    return Sheet(
        f"{currency} billing audit",
        f"Bills that are not what the messages say, {wording.period(figures)}, {currency}",
        (
            Column("What was found", Kind.TEXT, 60, "Total (a message may be in several lines)"),
            Column("Country", Kind.TEXT, 12),
            Column("Service", Kind.TEXT, 16),
            summed("Findings", Kind.COUNT, 12, (each.findings for each in lines)),
            summed(f"Billed more, {currency}", Kind.MONEY, 18, (each.amount for each in lines)),
        ),
        [
            (
                vocabulary.finding(each.finding),
                each.country_code or "",
                each.service,
                each.findings,
                each.amount,
            )
            for each in lines
        ],
    )


def taxes(currency: str, figures: Figures) -> Sheet:
    """Lay out net, tax and gross, a row a month and rate; what has no rate is in the net only."""
    lines = [each for each in figures.taxes if each.currency == currency]
    (total,) = tax_totals(lines)
    return Sheet(
        f"{currency} tax",
        f"Net, tax and gross as on an invoice, {wording.period(figures)}, {currency}",
        (
            Column("Month", Kind.TEXT, 12, "Total"),
            Column("Tax", Kind.TEXT, 28),
            Column(f"Net, {currency}", Kind.CENTS, 18, total.net, is_summed=True),
            Column(f"Tax amount, {currency}", Kind.CENTS, 18, total.tax_amount, is_summed=True),
            Column(f"Gross, {currency}", Kind.CENTS, 18, total.gross, is_summed=True),
            Column(f"Without a rate, {currency}", Kind.CENTS, 18, total.without_rate, is_summed=True),
            summed(f"Exact net, {currency}", Kind.MONEY, 18, (each.net for each in lines)),
        ),
        [
            (
                f"{each.month:%Y-%m}",
                vocabulary.tax_name(each.tax),
                each.net_rounded,
                each.tax_amount,
                each.gross,
                each.net_rounded if each.gross is None else None,
                each.net,
            )
            for each in lines
        ],
    )


def corrections(currency: str, figures: Figures) -> Sheet:
    """Lay out the corrections booked to the month in one currency, one a row."""
    booked = [each for each in figures.corrections if each.currency == currency]
    zone = figures.basis.timezone
    return Sheet(
        f"{currency} corrections",
        f"Changes in closed months, booked to {figures.basis.period.name}, {currency}",
        (
            Column("Closed month", Kind.TEXT, 14, "Total"),
            Column("Message", Kind.TEXT, 38),
            Column("What changed", Kind.TEXT, 36),
            Column("Cost centre", Kind.TEXT, 20),
            Column("Country", Kind.TEXT, 10),
            Column("Service", Kind.TEXT, 14),
            Column(f"Found ({zone})", Kind.TIME, 22),
            summed("Messages", Kind.COUNT, 12, (each.messages for each in booked)),
            Column(f"Amount, {currency}", Kind.MONEY, 16, sum_of_amounts(booked), is_summed=True),
        ),
        [_correction_values(each, ZoneInfo(zone)) for each in booked],
    )


def _correction_values(each: Correction, zone: ZoneInfo) -> tuple[Value, ...]:
    return (
        f"{each.closed_month:%Y-%m}",
        each.uuid,
        vocabulary.correction_kind(each.kind),
        each.cost_centre,
        each.country_code,
        each.service_code,
        each.detected_at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None, microsecond=0),
        each.messages,
        each.amount,
    )


def _title(what: str, section: CurrencyFigures, figures: Figures) -> str:
    return f"{what}, {wording.period(figures)}, {figures.basis.timezone}, {section.currency}"


def cost_heading(currency: str) -> str:
    """Return the heading of the column that the summary\'s cost leads to."""
    return f"Cost, {currency}"


def _cost_columns(currency: str, total: Cost) -> tuple[Column, ...]:
    cost, voice, parts = cost_heading(currency), f"of voice, {currency}", "Priced parts of text"
    return (
        Column("Messages", Kind.COUNT, 12, total.messages, is_summed=True),
        Column("Parts", Kind.COUNT, 12, total.parts, is_summed=True),
        Column("Without a price", Kind.COUNT, 12, total.unpriced, is_summed=True),
        Column(cost, Kind.MONEY, 18, total.cost, is_summed=True),
        Column(f"of undelivered, {currency}", Kind.MONEY, 18, total.cost_undelivered, is_summed=True),
        Column(voice, Kind.MONEY, 18, total.cost_voice, is_summed=True),
        Column(parts, Kind.COUNT, 14, total.priced_parts, is_summed=True),
        Column(
            f"Per part, {currency}",
            Kind.MONEY,
            14,
            wording.price_per_part(total),
            ratio=Ratio(cost, parts, less=voice, places=6, is_rounded_down=False),
        ),
    )


def _cost_values(cost: Cost) -> tuple[Value, ...]:
    return (
        cost.messages,
        cost.parts,
        cost.unpriced,
        cost.cost,
        cost.cost_undelivered,
        cost.cost_voice,
        cost.priced_parts,
        wording.price_per_part(cost),
    )
