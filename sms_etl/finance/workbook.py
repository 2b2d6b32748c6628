"""Writes a report as one XLSX: a summary, sheets for each currency, delivery and words.

Each figure of the summary leads to the total that it is. `currency_sheets.py` and `period_sheets.py` lay the
other sheets out, and `sheets.py` writes them.
"""

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import NamedTuple, TypeVar

from sms_etl.clock import as_utc
from sms_etl.finance import currency_sheets, period_sheets, vocabulary, wording
from sms_etl.finance.figures import Basis, CurrencyFigures, Figures
from sms_etl.finance.measures import Cost, Delivery, Pair
from sms_etl.finance.sheets import (
    Book,
    Kind,
    Laid,
    Sheet,
    Value,
    add_chart,
    for_print,
    rounded_down,
    write_sheet,
)

_Counted = TypeVar("_Counted", Cost, Delivery)


class Headline(NamedTuple):
    """A figure's name and kind, and its values."""

    name: str
    kind: Kind
    value: Value
    compared: Value = None
    """On the compared days or months of the period,"""
    before: Value = None
    """and on those of the period before."""
    link: str = ""
    """Where the total is that it is; empty: nowhere else."""


def render_workbook(figures: Figures, stamp: wording.Stamp) -> bytes:
    """Return the whole workbook as bytes, the same for the same figures and moment.

    That of a closed period is always of the moment it was closed.
    """
    target = BytesIO()
    title = wording.title(figures)
    book = Book(target, title)
    written_at = figures.closing.closed_at if figures.closing else as_utc(stamp.written_at)
    book.book.set_properties({"title": title, "created": written_at})
    sheets = list(_sheets(figures))
    _write_summary(book, figures, stamp, [sheet for sheet, _ in sheets])
    for sheet, drawing in sheets:
        written = write_sheet(book, sheet)
        if drawing:
            add_chart(book, written, sheet, drawing.title, drawing.series, drawing.shape)
    _write_words(book)
    book.book.close()
    return target.getvalue()


def _sheets(figures: Figures) -> Iterable[Laid]:
    """Lay out every table; one without rows has no sheet."""
    for section in figures.currencies:
        yield from currency_sheets.sheets_of(section, figures)
    for currency in sorted({each.currency for each in figures.corrections}):
        yield currency_sheets.corrections(currency, figures), None
    yield period_sheets.delivery(figures)
    for lines, lay in (
        (figures.accruals, currency_sheets.accruals),
        (figures.waste, currency_sheets.waste),
        (figures.audit, currency_sheets.audit),
    ):
        for currency in sorted({each.currency for each in lines or ()}):
            sheet = lay(currency, figures)
            if sheet.rows:
                yield sheet, None
    for rows, lay_out in (
        (figures.budgets, period_sheets.budgets),
        (figures.conversions, period_sheets.conversions),
    ):
        if rows:
            yield lay_out(figures), None
    if figures.months and figures.budgets:
        yield period_sheets.budget_sums(figures), None
    if figures.months and figures.conversions:
        yield period_sheets.conversion_sums(figures), None
    for currency in sorted({each.currency for each in figures.taxes}):
        yield currency_sheets.taxes(currency, figures), None
    if figures.left_out:
        yield period_sheets.left_out(figures), None


def _write_summary(book: Book, figures: Figures, stamp: wording.Stamp, sheets: Sequence[Sheet]) -> None:
    sheet = book.book.add_worksheet("Summary")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 3, 22)
    sheet.write_string(0, 0, wording.title(figures), book.title)
    row = 1
    for notice in wording.notices(figures, stamp.later):
        row += 1
        sheet.write_string(row, 0, notice.name, book.alarm)
        sheet.write_string(row, 1, notice.text, book.alarm)
    row += 1
    for name, value in wording.basis(figures, stamp):
        row += 1
        sheet.write_string(row, 0, name, book.quiet)
        sheet.write_string(row, 1, value)
    row += 1
    for said in wording.statements(figures):
        row += 1
        sheet.write_string(row, 0, said.name, book.quiet)
        sheet.write_string(row, 1, said.state, book.care if said.is_good is False else book.bold)
        sheet.write_string(row, 2, said.text)
    heads = _heads(figures.basis)
    for heading, lines in _headlines(figures, {each.name: each for each in sheets}):
        row += 2
        sheet.write_string(row, 0, heading, book.left)
        for column, head in enumerate(heads, start=1):
            sheet.write_string(row, column, head, book.right)
        for line in lines:
            row += 1
            sheet.write_string(row, 0, line.name)
            # Of whole periods the compared part is the period itself.
            values = (line.value, line.compared, line.before)
            shown = [values[0], values[2]] if figures.basis.comparison.is_whole else values[: len(heads)]
            for column, figure in enumerate(shown, start=1):
                if line.link and column == 1:
                    sheet.write_url(row, column, line.link, None, "", "The total that it is")
                book.write(sheet, row, column, figure, book.cells[line.kind])
    row += 2
    sheet.write_string(row, 0, "Sheets", book.left)
    for each in sheets:
        row += 1
        sheet.write_url(row, 0, each.place(), book.link, each.name)
        sheet.write_string(row, 1, each.title)
    for_print(book, sheet, "Summary")


def _heads(known: Basis) -> list[str]:
    """Name the columns of figures: the period, and what is compared if anything is."""
    earlier = wording.compared_part(known, known.period.before)
    if not known.comparison.is_there:
        return [known.period.name]
    if known.comparison.is_whole:
        return [known.period.name, earlier]
    return [known.period.name, wording.compared_part(known, known.period), earlier]


def _headlines(figures: Figures, sheets: dict[str, Sheet]) -> list[tuple[str, list[Headline]]]:
    now, pair, table = figures.delivery, figures.compared, sheets[period_sheets.DELIVERY]

    def line(name: str, kind: Kind, read: Callable[[Delivery], Value], column: str) -> Headline:
        return _headline(name, kind, read, now, pair, table.place(column))

    delivery = [
        line("Messages", Kind.COUNT, lambda of: of.messages, "Messages"),
        line("Parts", Kind.COUNT, lambda of: of.parts, "Parts"),
        line("Delivered", Kind.COUNT, lambda of: of.delivered, "Delivered"),
        line(
            "Delivery rate (of final messages)",
            Kind.SHARE,
            lambda of: rounded_down(of.delivery_rate),
            "Delivery rate",
        ),
        line(
            "Accepted delivery rate (of all)",
            Kind.SHARE,
            lambda of: rounded_down(of.accepted_delivery_rate),
            "Accepted delivery rate",
        ),
        line("Not final", Kind.COUNT, lambda of: of.open, "Open"),
        line("Share settled", Kind.SHARE, lambda of: rounded_down(of.share_settled), "Share settled"),
    ]
    costs = [
        (f"Cost, {each.currency}", _cost_headlines(each, sheets[f"{each.currency} days"]))
        for each in figures.currencies
    ]
    return [*costs, *_with_corrections(figures), ("Delivery", delivery)]


def _with_corrections(figures: Figures) -> list[tuple[str, list[Headline]]]:
    """Return what the period comes to with the corrections booked to it; nothing where there are none."""
    if not figures.corrections:
        return []
    lines = []
    for each in figures.totals:
        lines.append(Headline(f"Messages, {each.currency}", Kind.COUNT, each.messages))
        lines.append(Headline(f"Cost, {each.currency}", Kind.MONEY, each.cost))
    return [("With corrections", lines)]


def _cost_headlines(section: CurrencyFigures, table: Sheet) -> list[Headline]:
    now, pair, currency = section.total, section.compared, section.currency

    def line(name: str, kind: Kind, read: Callable[[Cost], Value], column: str) -> Headline:
        return _headline(name, kind, read, now, pair, table.place(column))

    return [
        line("Cost", Kind.MONEY, lambda of: of.cost, currency_sheets.cost_heading(currency)),
        line(
            "Cost of undelivered messages",
            Kind.MONEY,
            lambda of: of.cost_undelivered,
            f"of undelivered, {currency}",
        ),
        line("Cost of voice", Kind.MONEY, lambda of: of.cost_voice, f"of voice, {currency}"),
        line("Average price per part", Kind.MONEY, wording.price_per_part, f"Per part, {currency}"),
        line("Messages without a price", Kind.COUNT, lambda of: of.unpriced, "Without a price"),
    ]


def _headline(
    name: str,
    kind: Kind,
    read: Callable[[_Counted], Value],
    now: _Counted,
    pair: Pair[_Counted] | None,
    link: str,
) -> Headline:
    compared, before = (read(pair.now), read(pair.before)) if pair else (None, None)
    return Headline(name, kind, read(now), compared, before, link)


def _write_words(book: Book) -> None:
    """Write what the words mean, as the page does."""
    sheet = book.book.add_worksheet("Words")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 110)
    for row, (name, meaning) in enumerate(vocabulary.DEFINITIONS):
        sheet.write_string(row, 0, name, book.bold)
        sheet.write_string(row, 1, meaning)
    for_print(book, sheet, "Words")
