"""Writes the report as one XLSX: a summary, sheets for each currency, delivery and words. See `sheets.py`.

Cost is broken down by day, country, cost centre and service, and by all of the latter together, so that any
cell of one sheet can be summed up from another.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from io import BytesIO
from typing import TypeVar
from zoneinfo import ZoneInfo

from sms_etl.finance import wording
from sms_etl.finance.charts import BAR, OUTCOMES
from sms_etl.finance.figures import Basis, Cost, CurrencyFigures, Delivery, Figures, Line, Pair
from sms_etl.finance.sheets import (
    Book,
    Column,
    Kind,
    Ratio,
    Series,
    Sheet,
    Value,
    add_chart,
    for_print,
    write_sheet,
)

_Counted = TypeVar("_Counted", Cost, Delivery)
Headline = tuple[str, Kind, Value, Value, Value]
"""A figure's name and kind; its value in the month, and on the compared days of it and the month before."""


def render_workbook(figures: Figures, *, generated_at: datetime) -> bytes:
    """Return the whole workbook as bytes, the same for the same figures and moment."""
    target = BytesIO()
    title = wording.title(figures)
    book = Book(target, title)
    book.book.set_properties({"title": title, "created": generated_at.astimezone(UTC).replace(tzinfo=None)})
    _write_summary(book, figures, title, generated_at)
    for section in figures.currencies:
        _write_currency(book, section, figures)
    _write_delivery(book, figures)
    if figures.left_out:
        write_sheet(book, _left_out(figures))
    _write_words(book)
    book.book.close()
    return target.getvalue()


def _write_summary(book: Book, figures: Figures, title: str, generated_at: datetime) -> None:
    sheet = book.book.add_worksheet("Summary")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 3, 22)
    sheet.write_string(0, 0, title, book.title)
    row = 1
    for notice in wording.notices(figures):
        row += 1
        sheet.write_string(row, 0, notice.name, book.alarm)
        sheet.write_string(row, 1, notice.text, book.alarm)
    row += 1
    for name, value in wording.basis(figures, generated_at):
        row += 1
        sheet.write_string(row, 0, name, book.quiet)
        sheet.write_string(row, 1, value)
    row += 1
    for each in wording.statements(figures):
        row += 1
        sheet.write_string(row, 0, each.name, book.quiet)
        sheet.write_string(row, 1, each.state, book.care if each.is_good is False else book.bold)
        sheet.write_string(row, 2, each.text)
    heads = _heads(figures.basis)
    for heading, lines in _headlines(figures):
        row += 2
        sheet.write_string(row, 0, heading, book.left)
        for column, head in enumerate(heads, start=1):
            sheet.write_string(row, column, head, book.right)
        for name, kind, *values in lines:
            row += 1
            sheet.write_string(row, 0, name)
            # Of whole months the compared days are the month itself.
            shown = [values[0], values[2]] if figures.basis.comparison.is_whole else values[: len(heads)]
            for column, figure in enumerate(shown, start=1):
                book.write(sheet, row, column, figure, book.cells[kind])
    for_print(book, sheet, "Summary")


def _heads(known: Basis) -> list[str]:
    """Name the columns of figures: the month, and what is compared if anything is."""
    month, earlier = wording.month_name(known.month), wording.compared_days(known, known.previous_month)
    if not known.comparison.days:
        return [month]
    if known.comparison.is_whole:
        return [month, earlier]
    return [month, wording.compared_days(known, known.month), earlier]


def _headlines(figures: Figures) -> list[tuple[str, list[Headline]]]:
    now, pair = figures.delivery, figures.compared
    delivery = [
        _headline("Messages", Kind.COUNT, lambda of: of.messages, now, pair),
        _headline("Parts", Kind.COUNT, lambda of: of.parts, now, pair),
        _headline("Delivered", Kind.COUNT, lambda of: of.delivered, now, pair),
        _headline(
            "Delivery rate of final messages", Kind.SHARE, lambda of: _share(of.delivery_rate), now, pair
        ),
        _headline("Not final", Kind.COUNT, lambda of: of.open, now, pair),
        _headline("Share settled", Kind.SHARE, lambda of: _share(of.share_settled), now, pair),
    ]
    costs = [(f"Cost, {each.currency}", _cost_headlines(each)) for each in figures.currencies]
    return [*costs, ("Delivery", delivery)]


def _cost_headlines(section: CurrencyFigures) -> list[Headline]:
    now, pair = section.total, section.compared
    return [
        _headline("Cost", Kind.MONEY, lambda of: of.cost, now, pair),
        _headline("Cost of undelivered messages", Kind.MONEY, lambda of: of.cost_undelivered, now, pair),
        _headline("Cost of voice", Kind.MONEY, lambda of: of.cost_voice, now, pair),
        _headline("Average price per part", Kind.MONEY, wording.price_per_part, now, pair),
        _headline("Messages without a price", Kind.COUNT, lambda of: of.unpriced, now, pair),
    ]


def _headline(
    name: str, kind: Kind, read: Callable[[_Counted], Value], now: _Counted, pair: Pair[_Counted] | None
) -> Headline:
    return (name, kind, read(now), *((read(pair.now), read(pair.before)) if pair else (None, None)))


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
    if section.unassigned:
        write_sheet(book, _unassigned(section, figures))
    write_sheet(book, _detail(section, figures))
    if section.bulks:
        write_sheet(book, _bulks(section, figures))


def _breakdown(name: str, lines: Sequence[Line], section: CurrencyFigures, figures: Figures) -> Sheet:
    plural, cost = {"country": "countries"}.get(name, f"{name}s"), _cost_heading(section.currency)
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
                _share(wording.share_of(section.total, section.total)),
                ratio=Ratio(cost, cost, is_of_all=True),
            ),
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


def _unassigned(section: CurrencyFigures, figures: Figures) -> Sheet:
    keys = section.unassigned
    return Sheet(
        f"{section.currency} unassigned",
        _title("API keys without a cost centre", section, figures),
        (
            Column("API key", Kind.TEXT, 20, "Total"),
            Column("Messages", Kind.COUNT, 12, sum(each.messages for each in keys), is_summed=True),
            Column(
                _cost_heading(section.currency),
                Kind.MONEY,
                18,
                sum((each.cost for each in keys), Decimal(0)),
                is_summed=True,
            ),
        ),
        [(wording.key_name(each), each.messages, each.cost) for each in keys],
    )


def _left_out(figures: Figures) -> Sheet:
    left = figures.left_out
    return Sheet(
        "Not in the figures",
        f"Rows that could not be loaded, {wording.period(figures)}, {figures.basis.timezone}",
        (
            Column("What", Kind.TEXT, 12, "Total"),
            Column("State", Kind.TEXT, 12),
            Column("Why it could not be loaded", Kind.TEXT, 48),
            Column("Remarks", Kind.TEXT, 48),
            Column("Rows", Kind.COUNT, 10, sum(each.rows for each in left), is_summed=True),
            Column("Readable prices", Kind.TEXT, 24),
        ),
        [
            (
                "messages" if each.is_message else "bulks",
                "accepted" if each.is_accepted else "open",
                each.reason,
                wording.left_out_remarks(each),
                each.rows,
                wording.left_out_price(each),
            )
            for each in left
        ],
    )


def _write_words(book: Book) -> None:
    """Write what the words mean, as the page does."""
    sheet = book.book.add_worksheet("Words")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 110)
    for row, (name, meaning) in enumerate(wording.DEFINITIONS):
        sheet.write_string(row, 0, name, book.bold)
        sheet.write_string(row, 1, meaning)
    for_print(book, sheet, "Words")


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
            Column(
                "Delivery rate",
                Kind.SHARE,
                12,
                _share(total.delivery_rate),
                ratio=Ratio("Delivered", "Settled"),
            ),
            Column(
                "Share settled",
                Kind.SHARE,
                12,
                _share(total.share_settled),
                ratio=Ratio("Settled", "Messages"),
            ),
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


def _cost_heading(currency: str) -> str:
    return f"Cost, {currency}"


def _cost_columns(currency: str, total: Cost) -> tuple[Column, ...]:
    cost, voice, parts = _cost_heading(currency), f"of voice, {currency}", "Priced parts of text"
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


def _share(ratio: Decimal | None) -> Decimal | None:
    """Round down as the page does, so that neither file says 100 % of what is not all."""
    return None if ratio is None else ratio.quantize(Decimal("0.0001"), ROUND_FLOOR)
