"""Invoices of any layout are read exactly, or refused with the line and what to do about it."""

from decimal import Decimal
from pathlib import Path

import pytest

from sms_etl.errors import InvoiceUnreadable
from sms_etl.finance.closing.invoice import InvoiceLine, parse_invoice, read_invoice
from sms_etl_tests.finance.closing.small import uuid_of

A, B = uuid_of("a"), uuid_of("b")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"uuid,amount,currency\n{A},0.0745,EUR\n", InvoiceLine(2, A, Decimal("0.0745"), "EUR")),
        (f"Currency , AMOUNT,uuid\neur,0.0745,{A}\n", InvoiceLine(2, A, Decimal("0.0745"), "EUR")),
        (f"uuid;price\n{A};0,0745\n", InvoiceLine(2, A, Decimal("0.0745"), None)),
        (f"uuid;cost\n{A};0.0745\n", InvoiceLine(2, A, Decimal("0.0745"), None)),
        (f"uuid,price,amount\n{A},9,0.0745\n", InvoiceLine(2, A, Decimal("0.0745"), None)),
        (f'phone,uuid,amount\n"+49 170, 1",{A},0.0745\n', InvoiceLine(2, A, Decimal("0.0745"), None)),
        (f"uuid,amount\r\n\r\n{A},0.0745\r\n", InvoiceLine(3, A, Decimal("0.0745"), None)),
        ("amount\n-1.50\n", InvoiceLine(2, None, Decimal("-1.50"), None)),
        ("uuid,amount\n,5\n", InvoiceLine(2, None, Decimal(5), None)),
        (f"uuid,amount\n{A.hex},0.07450000\n", InvoiceLine(2, A, Decimal("0.0745"), None)),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_columns_go_by_their_names(text: str, line: InvoiceLine, mark: bytes) -> None:
    assert parse_invoice(mark + text.encode()).lines == (line,)


def test_an_invoice_without_uuids_says_so() -> None:
    assert not parse_invoice(b"amount\n1\n").has_uuids
    assert parse_invoice(b"uuid,amount\n,1\n").has_uuids


@pytest.mark.parametrize(
    ("content", "line", "hint"),
    [
        (b"", 1, "names its columns"),
        (b"uuid,total\n", 1, "column with the amounts"),
        (b"uuid,amount\n", 1, "with its lines"),
        (b"uuid,amount\n+491701234567,1\n", 2, "uuid of the message"),
        (b"uuid,amount\n,1\n,+49 1701234567\n", 3, "1234.56"),
        (b"uuid,amount\n,EUR 1\n", 2, "without a sign"),
        (b"uuid,amount\n,1e5\n", 2, "1234.56"),
        (b"uuid,amount\n,\n,x\n", 3, "1234.56"),
        (b"uuid;amount\n;1.234,56\n", 2, "1234,56"),
        (b'uuid,amount\n,"0,0745"\n', 2, "1234.56"),
        (b"uuid,amount\n,0.0000001\n", 2, "six decimals"),
        (b"uuid,amount,currency\n,1,Euros\n", 2, "such as EUR"),
        (b"uuid,amount\n,1,2\n", 2, "double quotes"),
        (b'uuid,amount\n,1\n,"2\n', 3, "as CSV anew"),
        (b"uuid,amount\n,1\n,\xe4\n", 3, "UTF-8"),
        (b'note,amount\n"two\nlines",1\n,x\n', 4, "1234.56"),
    ],
)
def test_what_cannot_be_read_names_the_line_and_what_to_do_and_quotes_nothing(
    content: bytes, line: int, hint: str
) -> None:
    with pytest.raises(InvoiceUnreadable, match=rf"Line {line} of the invoice") as caught:
        parse_invoice(content)
    assert hint in caught.value.hint
    assert "1701234567" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvoiceUnreadable, match=r"invoice\.csv cannot be opened"):
        read_invoice(tmp_path / "invoice.csv")
