"""Writes the report as one XLSX: a summary, sheets for each currency, and the delivery. See `sheets.py`.

Cost is broken down by day, country, cost centre and service, and by all of the latter together, so that any
cell of one sheet can be summed up from another.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from io import BytesIO
from typing import TypeVar
from zoneinfo import ZoneInfo

from sms_etl.finance import wording
from sms_etl.finance.charts import BAR, OUTCOMES
from sms_etl.finance.figures import Cost, CurrencyFigures, Delivery, Figures, Line
from sms_etl.finance.sheets import Book, Column, Kind, Series, Sheet, Value, add_chart, for_print, write_sheet

Counted = TypeVar("Counted", Cost, Delivery)
Headline = tuple[str, Kind, Value, Value]
"""A figure's name and kind, its value in the month and in the month before."""


def render_workbook(figures: Figures, *, generated_at: datetime) -> bytes:
    """Give the whole workbook as bytes, the same for the same figures and moment."""
    target = BytesIO()
    book = Book(target)
    title = f"SMS report {wording.month_name(figures.basis.month)}"
    book.book.set_properties({"title": title, "created": generated_at.astimezone(UTC).replace(tzinfo=None)})
    _write_summary(book, figures, title, generated_at)
    for section in figures.currencies:
        _write_currency(book, section, figures)
    _write_delivery(book, figures)
    book.book.close()
    return target.getvalue()


def _write_summary(book: Book, figures: Figures, title: str, generated_at: datetime) -> None:
    sheet = book.book.add_worksheet("Summary")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 2, 20)
    sheet.write_string(0, 0, title, book.title)
    row = 2
    for name, value in wording.basis(figures, generated_at):
        sheet.write_string(row, 0, name, book.quiet)
        sheet.write_string(row, 1, value)
        row += 1
    for sentence in wording.cautions(figures) or [wording.standing(figures)]:
        row += 1
        sheet.write_string(row, 0, sentence, book.care if wording.cautions(figures) else book.bold)
    months = (figures.basis.month, figures.basis.previous_month)
    for heading, lines in _headlines(figures):
        row += 2
        sheet.write_string(row, 0, heading, book.left)
        for column, month in enumerate(months, start=1):
            sheet.write_string(row, column, wording.month_name(month), book.right)
        for name, kind, now, before in lines:
            row += 1
            sheet.write_string(row, 0, name)
            book.write(sheet, row, 1, now, book.cells[kind])
            book.write(sheet, row, 2, before, book.cells[kind])
    for_print(sheet, title)


def _headlines(figures: Figures) -> list[tuple[str, list[Headline]]]:
    now, before = figures.delivery, figures.previous
    delivery = [
        _headline("Messages", Kind.COUNT, lambda of: of.messages, now, before),
        _headline("Parts", Kind.COUNT, lambda of: of.parts, now, before),
        _headline("Delivered", Kind.COUNT, lambda of: of.delivered, now, before),
        _headline(
            "Delivery rate of final messages", Kind.SHARE, lambda of: _share(of.delivery_rate), now, before
        ),
        _headline("Not final", Kind.COUNT, lambda of: of.open, now, before),
        _headline("Share settled", Kind.SHARE, lambda of: _share(of.share_settled), now, before),
    ]
    costs = [(f"Cost, {each.currency}", _cost_headlines(each)) for each in figures.currencies]
    return [*costs, ("Delivery", delivery)]


def _cost_headlines(section: CurrencyFigures) -> list[Headline]:
    now, before = section.total, section.previous
    return [
        _headline("Cost", Kind.MONEY, lambda of: of.cost, now, before),
        _headline("Cost of failed messages", Kind.MONEY, lambda of: of.cost_failed, now, before),
        _headline("Average price per part", Kind.MONEY, _price, now, before),
        _headline("Messages without a price", Kind.COUNT, lambda of: of.unpriced, now, before),
    ]


def _headline(
    name: str, kind: Kind, read: Callable[[Counted], Value], now: Counted, before: Counted | None
) -> Headline:
    return name, kind, read(now), None if before is None else read(before)


def _write_currency(book: Book, section: CurrencyFigures, figures: Figures) -> None:
    currency, total = section.currency, section.total
    days = Sheet(
        f"{currency} days",
        _title("Cost by day", section, figures),
        (Column("Day", Kind.DAY, 12, "Total"), *_cost_columns(currency, total)),
        [(each.day, *_cost_values(each.cost)) for each in section.days],
    )
    cost = next(at for at, column in enumerate(days.columns) if column.kind is Kind.MONEY)
    drawn = [Series(f"Cost, {currency}", cost, BAR)]
    add_chart(book, write_sheet(book, days), days, f"Cost by day, {currency}", drawn, {"type": "column"})
    countries = _breakdown("country", section.countries, section, figures)
    add_chart(
        book, write_sheet(book, countries), countries, f"Cost by country, {currency}", drawn, {"type": "bar"}
    )
    write_sheet(book, _breakdown("cost centre", section.cost_centres, section, figures))
    write_sheet(book, _breakdown("service", section.services, section, figures))
    write_sheet(book, _detail(section, figures))
    if section.bulks:
        write_sheet(book, _bulks(section, figures))


def _breakdown(name: str, lines: Sequence[Line], section: CurrencyFigures, figures: Figures) -> Sheet:
    plural = {"country": "countries"}.get(name, f"{name}s")
    return Sheet(
        f"{section.currency} {plural}",
        _title(f"Cost by {name}", section, figures),
        (
            Column(name.capitalize(), Kind.TEXT, 28, "Total"),
            *_cost_columns(section.currency, section.total),
            Column("Share of cost", Kind.SHARE, 12),
        ),
        [
            (each.label, *_cost_values(each.cost), _share(wording.share_of(each.cost, section.total)))
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


def _bulks(section: CurrencyFigures, figures: Figures) -> Sheet:
    zone = figures.basis.timezone
    bulks = section.bulks
    return Sheet(
        f"{section.currency} bulks",
        _title("Bulks created in the month", section, figures),
        (
            Column(f"Created ({zone})", Kind.TIME, 22, "Total"),
            Column("Bulk", Kind.TEXT, 38),
            Column("Service", Kind.TEXT, 14),
            Column("Cost centre", Kind.TEXT, 20),
            Column("Status", Kind.TEXT, 16),
            Column("Messages", Kind.COUNT, 12, sum(each.messages for each in bulks), is_summed=True),
            Column("Delivered", Kind.COUNT, 12, sum(each.delivered for each in bulks), is_summed=True),
            Column(
                f"Cost, {section.currency}", Kind.MONEY, 16, sum(each.cost for each in bulks), is_summed=True
            ),
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


def _write_delivery(book: Book, figures: Figures) -> None:
    total = figures.delivery
    counted = [
        Column("Messages", Kind.COUNT, 12, total.messages, is_summed=True),
        Column("Parts", Kind.COUNT, 12, total.parts, is_summed=True),
        *(
            Column(name.capitalize(), Kind.COUNT, 12, getattr(total, name), is_summed=True)
            for name in OUTCOMES
        ),
        Column("Settled", Kind.COUNT, 12, total.settled, is_summed=True),
    ]
    table = Sheet(
        "Delivery",
        f"Delivery by day, {wording.period(figures)}, {figures.basis.timezone}",
        (
            Column("Day", Kind.DAY, 12, "Total"),
            *counted,
            Column("Delivery rate", Kind.SHARE, 12, _share(total.delivery_rate)),
            Column("Share settled", Kind.SHARE, 12, _share(total.share_settled)),
        ),
        [
            (
                each.day,
                each.delivery.messages,
                each.delivery.parts,
                *(getattr(each.delivery, name) for name in OUTCOMES),
                each.delivery.settled,
                _share(each.delivery.delivery_rate),
                _share(each.delivery.share_settled),
            )
            for each in figures.days
        ],
    )
    drawn = [
        Series(name.capitalize(), at, colour) for at, (name, colour) in enumerate(OUTCOMES.items(), start=3)
    ]
    shape = {"type": "column", "subtype": "stacked"}
    add_chart(book, write_sheet(book, table), table, "Messages by day and outcome", drawn, shape)


def _title(what: str, section: CurrencyFigures, figures: Figures) -> str:
    return f"{what}, {wording.period(figures)}, {figures.basis.timezone}, {section.currency}"


def _cost_columns(currency: str, total: Cost) -> tuple[Column, ...]:
    return (
        Column("Messages", Kind.COUNT, 12, total.messages, is_summed=True),
        Column("Parts", Kind.COUNT, 12, total.parts, is_summed=True),
        Column("Without a price", Kind.COUNT, 12, total.unpriced, is_summed=True),
        Column(f"Cost, {currency}", Kind.MONEY, 16, total.cost, is_summed=True),
        Column(f"of failed, {currency}", Kind.MONEY, 16, total.cost_failed, is_summed=True),
        Column(f"Per part, {currency}", Kind.MONEY, 14, _price(total)),
    )


def _cost_values(cost: Cost) -> tuple[Value, ...]:
    return (cost.messages, cost.parts, cost.unpriced, cost.cost, cost.cost_failed, _price(cost))


def _price(cost: Cost) -> Decimal | None:
    average = cost.average_price_per_part
    return None if average is None else average.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def _share(ratio: Decimal | None) -> Decimal | None:
    """Round down as the page does, so that neither file says 100 % of what is not all."""
    return None if ratio is None else ratio.quantize(Decimal("0.0001"), ROUND_FLOOR)
