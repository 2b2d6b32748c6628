"""Names that are formulas, markup, terminal escapes or SQL, through every kind of file and output there is.

Under `keep`, where names are stored as they came: `pseudonymise` would leave little of them.
"""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest

from sms_etl_tests.attacks.attack import DONE, NEEDS_ATTENTION, environment
from sms_etl_tests.attacks.good_rows import bulks, messages
from sms_etl_tests.attacks.stand_in import StandIn, running_stand_in

NAMES = (
    *(
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "＝1+1",
        "a;=1+1",
        '=HYPERLINK("http://evil.example")',
    ),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</script><b onclick=x>", "{{ 7*7 }}"),
    *("\x1b[2J\x1b]0;owned\x07", "[red]x[/red]", "[/]", "`id`$(id)", "a\r\nb", "'; drop table raw.sms; --"),
    *("http://evil.example", "javascript:alert(1)", "mailto:a@evil.example", "\u202egnp"),
)
NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)
MONTH = "2026-01"
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"-?[0-9.,]+")
_OURS = re.compile(r"=(SUBTOTAL|SUM|IF|IFERROR)\(")


@dataclass(frozen=True)
class Office:
    """A data directory whose month is reported in every format, and what the commands printed."""

    data_dir: Path
    printed: dict[str, str]

    def files(self, ending: str) -> list[Path]:
        found = sorted(self.data_dir.glob(f"reports/*.{ending}"))
        assert found
        return found


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    data_dir = tmp_path_factory.mktemp("hostile") / "data"
    planted = messages(len(NAMES) * 4)
    for number, name in enumerate(NAMES):
        for place, column in enumerate(("sender_id", "service_code", "iso2", "callback_data")):
            planted[4 * number + place].truth[column] = name
        planted[4 * number].truth[f"x{name}"] = name
        planted[4 * number].truth["dlr_code"] = 1
    with running_stand_in(planted, bulks(2)) as provider:
        yield Office(data_dir, {words: run(provider, data_dir, *words.split(" ", 3)) for words in COMMANDS})


COMMANDS = (
    "-v sync",
    "status",
    "quarantine list",
    "alerts",
    "query select sender_id, service_code from marts.fct_sms",
    "query --csv select sender_id, service_code, country_code from marts.fct_sms",
    f"report --month {MONTH} --format=html,xlsx,csv",
    f"report --month {MONTH} --format=focus",
    f"report --month {MONTH} --lines",
)


def run(provider: StandIn, data_dir: Path, *words: str) -> str:
    """Run a command that asks for nothing but SQL and a month; return what it printed."""
    provider.begin(is_poisoned=False)
    if words[0] == "query":
        words = (
            ("query", "--csv", " ".join(words[2:])) if words[1] == "--csv" else ("query", " ".join(words[1:]))
        )
    done = subprocess.run(
        [sys.executable, "-m", "sms_etl", *words],
        env=environment(provider, data_dir, now=NOW, SMS_ETL_PII="keep"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in {DONE, NEEDS_ATTENTION}, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_cell_of_a_csv_is_a_formula(office: Office, delimiter: str) -> None:
    """Whichever sign the spreadsheet takes for the end of a cell."""
    texts = {path.name: path.read_bytes().decode("utf-8-sig") for path in office.files("csv")}
    texts |= {words: text for words, text in office.printed.items() if "--csv" in words}
    assert any("'=1+1" in text for text in texts.values())
    cells = [
        (name, cell)
        for name, text in texts.items()
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        for cell in row
    ]
    assert [each for each in cells if _FORMULA.match(each[1]) and not _NUMBER.fullmatch(each[1])] == []


def test_no_cell_of_a_workbook_is_a_formula_or_a_link_but_our_own(office: Office) -> None:
    (path,) = office.files("xlsx")
    book = openpyxl.load_workbook(path)
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert "=1+1" in {cell.value for cell in cells if cell.data_type == "s"}
    formulas = [cell.value for cell in cells if cell.data_type == "f"]
    assert [value for value in formulas if not _OURS.match(str(value))] == []
    assert [cell.hyperlink.target for cell in cells if cell.hyperlink and cell.hyperlink.target] == []


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, name, value or "") for name, value in attrs] or [(tag, "", "")]


def test_no_page_has_an_element_an_event_or_an_address_of_theirs(office: Office) -> None:
    for path in office.files("html"):
        text = path.read_text(encoding="utf-8")
        elements = _Elements()
        elements.feed(text)
        assert {tag for tag, _, _ in elements.found} & {"img", "iframe", "b", "object"} == set(), path
        assert [each for each in elements.found if each[1].startswith("on")] == []
        addresses = [value for _, name, value in elements.found if name in {"href", "src", "action"}]
        assert [value for value in addresses if not value.startswith(("#", "data:"))] == []
        assert "alert(1)</script" not in text


def test_no_command_prints_what_a_terminal_obeys(office: Office) -> None:
    for words, printed in office.printed.items():
        if "--csv" not in words:  # a file gets values as they are; see cli/test_reading.py for the terminal
            assert "\x1b" not in printed, words
            assert "\x07" not in printed, words


def test_every_name_was_loaded_as_it_came(office: Office) -> None:
    printed = office.printed["query --csv select sender_id, service_code, country_code from marts.fct_sms"]
    for name in ("drop table raw.sms", "{{ 7*7 }}", "[red]x[/red]", "\x1b[2J"):
        assert name in printed
