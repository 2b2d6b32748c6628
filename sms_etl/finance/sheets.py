"""Writes one table to one sheet of a workbook: typed cells, frozen headings, a filter, totals, a chart.

A cell holds the exact amount; a totals row holds SUBTOTAL formulas, which follow the filter, stored with the
exact Decimal as their value, so programs that do not calculate show it too. Text is written as text: no label
becomes a formula or a link.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from io import BytesIO

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from sms_etl.finance import locales

_LONGEST_FOOTER = 220
"""Excel takes 255 characters, with the codes for page and sides."""
Value = str | int | Decimal | date | datetime | None
HEADER_ROW = 2
"""Row of the column headings, counted from 0; above it a title and an empty row."""


class Kind(StrEnum):
    """What a column holds, and so how its cells are written."""

    TEXT = ""
    COUNT = "#,##0"
    MONEY = "#,##0.000000"
    """Always six decimals, as the warehouse keeps them: points stand below each other in any program."""
    CENTS = "#,##0.00"
    """Of what was rounded to cents, as tax is."""
    SHARE = "0.00%"
    DAY = "yyyy-mm-dd"
    TIME = "yyyy-mm-dd hh:mm"


_GERMAN = {Kind.DAY: "dd.mm.yyyy", Kind.TIME: "dd.mm.yyyy hh:mm"}
"""Points and commas need nothing: a spreadsheet shows numbers in the manner of its reader's system."""


@dataclass(frozen=True)
class Column:
    """One column of a sheet, and what its totals row says."""

    heading: str
    kind: Kind
    width: int
    total: Value = None
    is_summed: bool = False
    ratio: "Ratio | None" = None
    """What the total is worked out from, so that it follows the filter too."""


@dataclass(frozen=True)
class Ratio:
    """A quotient of totals, by the headings of their columns."""

    of: str
    by: str
    less: str = ""
    """Taken off `of` first."""
    places: int = 4
    is_rounded_down: bool = True
    is_of_all: bool = False
    """`by` is the sum of all rows, those that are filtered away included."""


def summed(heading: str, kind: Kind, width: int, values: Iterable[int | Decimal]) -> Column:
    """Return a column whose total is the sum of its values, which follows the filter."""
    nothing = 0 if kind is Kind.COUNT else Decimal(0)
    return Column(heading, kind, width, sum(values, nothing), is_summed=True)


@dataclass(frozen=True)
class Sheet:
    """One table on one sheet."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Value]]

    @property
    def totals_row(self) -> int:
        """Row of the totals, counted from 0."""
        return HEADER_ROW + 1 + len(self.rows)

    def place(self, heading: str = "") -> str:
        """Return a link to the sheet, or to the total of a column of it."""
        cell = self._total_of(heading) if heading else "A1"
        return f"internal:'{self.name}'!{cell}"

    def formula(self, index: int) -> str | None:
        """Return what the totals row works out in a column; None if it holds a value or nothing."""
        column = self.columns[index]
        if column.is_summed:
            return f"=SUBTOTAL(9,{self._rows_of(index)})"
        if column.ratio is None:
            return None
        ratio = column.ratio
        of, by = self._total_of(ratio.of), self._total_of(ratio.by)
        if ratio.less:
            of = f"({of}-{self._total_of(ratio.less)})"
        if ratio.is_of_all:
            by = f"SUM({self._rows_of(self._index(ratio.by))})"
        rounded = "ROUNDDOWN" if ratio.is_rounded_down else "ROUND"
        return f'=IFERROR({rounded}({of}/{by},{ratio.places}),"")'

    def _index(self, heading: str) -> int:
        return next(index for index, each in enumerate(self.columns) if each.heading == heading)

    def _total_of(self, heading: str) -> str:
        return str(xl_rowcol_to_cell(self.totals_row, self._index(heading)))

    def _rows_of(self, index: int) -> str:
        """Return the data rows of a column, as `B4:B34`; a single row too, as `B4:B4`."""
        first, last = (xl_rowcol_to_cell(row, index) for row in (HEADER_ROW + 1, self.totals_row - 1))
        return f"{first}:{last}"


@dataclass(frozen=True)
class Series:
    """One column of a table as a chart draws it."""

    name: str
    column: int
    colour: str


@dataclass(frozen=True)
class Drawing:
    """A chart beside a table."""

    title: str
    series: Sequence[Series]
    shape: dict[str, str]


Laid = tuple[Sheet, Drawing | None]
"""A table as it is laid out, and what is drawn beside it."""


def rounded_down(ratio: Decimal | None) -> Decimal | None:
    """Round down as the page does, so that neither file says 100 % of what is not all."""
    return None if ratio is None else ratio.quantize(Decimal("0.0001"), ROUND_FLOOR)


class Book:
    """The workbook being written, with its formats."""

    def __init__(self, target: BytesIO, name: str) -> None:
        self.name = name
        self.book = xlsxwriter.Workbook(
            target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        self.book.set_calc_mode("auto")
        self.title = self.book.add_format({"bold": True, "font_size": 14})
        self.quiet = self.book.add_format({"font_color": "#5B6672"})
        self.bold = self.book.add_format({"bold": True})
        self.care = self.book.add_format({"font_color": "#8A5A00", "bold": True})
        self.alarm = self.book.add_format({"font_color": "#9C2531", "bold": True})
        self.link = self.book.add_format({"font_color": "#2F5F8F", "underline": 1})
        self.cells = {kind: self._format(kind) for kind in Kind}
        self.totals = {kind: self._format(kind, bold=True, top=1, bottom=6) for kind in Kind}
        head = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}
        self.left, self.right = (self.book.add_format({**head, "align": side}) for side in ("left", "right"))

    def _format(self, kind: Kind, **more: object) -> xlsxwriter.format.Format:
        form = _GERMAN.get(kind, kind.value) if locales.is_german() else kind.value
        return self.book.add_format({"num_format": form or "@", **more})

    def write(
        self,
        sheet: xlsxwriter.worksheet.Worksheet,
        row: int,
        column: int,
        value: Value,
        style: xlsxwriter.format.Format,
    ) -> None:
        """Write a cell by the type of its value, never by what its text looks like."""
        if value is None:
            sheet.write_blank(row, column, None, style)
        elif isinstance(value, str):
            sheet.write_string(row, column, value, style)
        elif isinstance(value, date):  # a datetime is one, too
            sheet.write_datetime(row, column, value, style)
        else:
            sheet.write_number(row, column, value, style)


def write_sheet(book: Book, table: Sheet) -> xlsxwriter.worksheet.Worksheet:
    """Write a table to a new sheet."""
    sheet = book.book.add_worksheet(table.name)
    sheet.write_string(0, 0, table.title, book.title)
    sheet.write_url(1, 0, "internal:'Summary'!A1", book.link, "Summary")
    sheet.set_row(HEADER_ROW, 32)  # two lines: not every program makes room for wrapped headings
    first, last = HEADER_ROW + 1, table.totals_row - 1
    for index, column in enumerate(table.columns):
        sheet.set_column(index, index, column.width)
        heading = book.left if column.kind in {Kind.TEXT, Kind.DAY, Kind.TIME} else book.right
        sheet.write_string(HEADER_ROW, index, column.heading, heading)
        for row, values in enumerate(table.rows, start=first):
            book.write(sheet, row, index, values[index], book.cells[column.kind])
        style = book.totals[column.kind]
        if formula := table.formula(index):
            total = "" if column.total is None else column.total
            sheet.write_formula(table.totals_row, index, formula, style, total)
        else:
            book.write(sheet, table.totals_row, index, column.total, style)
    sheet.freeze_panes(first, 1)
    sheet.autofilter(HEADER_ROW, 0, last, len(table.columns) - 1)
    sheet.repeat_rows(HEADER_ROW)
    for_print(book, sheet, table.title)
    return sheet


def add_chart(
    book: Book,
    sheet: xlsxwriter.worksheet.Worksheet,
    table: Sheet,
    title: str,
    series: Sequence[Series],
    shape: dict[str, str],
) -> None:
    """Put a chart of some columns to the right of the table.

    Args:
        book: The workbook.
        sheet: Where the table was written.
        table: What is drawn; its first column gives the categories.
        title: Stands above the chart.
        series: Columns to draw, with name and colour.
        shape: Type and subtype as xlsxwriter names them.
    """
    chart = book.book.add_chart(shape)
    first, last = HEADER_ROW + 1, table.totals_row - 1
    for each in series:
        chart.add_series(
            {
                "name": each.name,
                "categories": [table.name, first, 0, last, 0],
                "values": [table.name, first, each.column, last, each.column],
                "fill": {"color": each.colour},
                "gap": 40,
            }
        )
    chart.set_title({"name": title, "name_font": {"size": 12, "bold": False}})
    chart.set_legend({"none": True} if len(series) == 1 else {"position": "top"})
    is_bar = shape["type"] == "bar"
    # xlsxwriter names axes by where they are drawn: of bars, the categories stand on the vertical one.
    along, amounts = (chart.set_y_axis, chart.set_x_axis) if is_bar else (chart.set_x_axis, chart.set_y_axis)
    along({"num_format": "d" if table.columns[0].kind is Kind.DAY else "@", "reverse": is_bar})
    amounts({"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#E3E7EB"}}})
    chart.set_size({"width": 760, "height": 90 + 22 * len(table.rows) if is_bar else 340})
    sheet.insert_chart(HEADER_ROW, len(table.columns) + 1, chart)


def for_print(book: Book, sheet: xlsxwriter.worksheet.Worksheet, title: str) -> None:
    """Fit the sheet to the width of an A4 page, with workbook, title and page number below."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    below = f"{book.name} – {title}".replace("&", "&&")[:_LONGEST_FOOTER]
    sheet.set_footer(f"&L{below}&RPage &P of &N")
