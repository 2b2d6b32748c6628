"""An invoice differs by named buckets, which add up to its total less ours, exactly."""

import csv
import stat
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_etl.errors import InvoiceUnreadable
from sms_etl.finance.closing.close import CloseResult, Status
from sms_etl.finance.closing.differences import Cause, Difference, InvoiceComparison, compare
from sms_etl.finance.closing.differing import write_differing
from sms_etl.finance.closing.invoice import Invoice, InvoiceLine, parse_invoice
from sms_etl.finance.closing.periods import open_totals
from sms_etl.finance.queries import Queries
from sms_etl_tests.finance.closing.small import (
    FEBRUARY,
    JANUARY,
    MARCH,
    Sent,
    Small,
    small_warehouse,
    uuid_of,
)

Billed = tuple[str | None, str]


def invoice(*lines: Billed, currency: str | None = "EUR") -> Invoice:
    return Invoice(
        tuple(
            InvoiceLine(place, name and uuid_of(name), Decimal(amount), currency)  # type: ignore[arg-type]  # None stays None
            for place, (name, amount) in enumerate(lines, start=2)
        ),
        has_uuids=True,
        digest="",
    )


def compared(small: Small, *lines: Billed, currency: str | None = "EUR") -> InvoiceComparison:
    return compare(Queries(small.connection, JANUARY), invoice(*lines, currency=currency))


def in_bucket(bucket: str, cause: str, amount: str, messages: int = 1, currency: str = "EUR") -> Difference:
    causes = (Cause(cause, messages, Decimal(amount)),)
    return Difference(bucket, currency, messages, Decimal(amount), causes)


def test_an_invoice_that_bills_each_message_as_it_is_here_agrees(small: Small) -> None:
    small.show(Sent("a", price="0.05"), Sent("b", price="0"))
    assert compared(small, ("a", "0.05")) == InvoiceComparison()


@pytest.mark.parametrize(
    ("ours", "billed", "bucket", "cause", "amount"),
    [
        (Sent("a", FEBRUARY), [("a", "0.05")], "late", "of another month here", "0.05"),
        (
            Sent("a", is_gone=True),
            [],
            "deleted at the provider",
            "not on the invoice, deleted at the provider",
            "-0.05",
        ),
        (Sent("a", price=None), [("a", "0.07")], "unpriced", "no price here", "0.07"),
        (Sent("a"), [("a", "0.06")], "price differs", "another price", "0.01"),
        (Sent("a"), [], "unknown", "not on the invoice", "-0.05"),
        (Sent("a"), [("a", "0.05"), ("b", "0.09")], "unknown", "not here", "0.09"),
        (Sent("a"), [("a", "0.05"), (None, "9")], "unknown", "for no message", "9"),
    ],
)
def test_each_difference_is_in_the_bucket_of_its_cause(
    small: Small, ours: Sent, billed: Sequence[Billed], bucket: str, cause: str, amount: str
) -> None:
    small.show(ours)
    lines = billed or [("c", "0")]
    (found,) = compared(small, *lines).differences
    assert (found.bucket, found.amount) == (bucket, Decimal(amount))
    assert [(each.cause, each.amount) for each in found.causes] == [(cause, Decimal(amount))]


def test_different_troubles_of_a_bucket_do_not_hide_each_other(small: Small) -> None:
    small.show(Sent("a"), Sent("b"))
    (found,) = compared(small, ("b", "0.05"), ("c", "0.05"), ("c", "0.03"), (None, "-0.03")).differences
    assert (found.bucket, found.messages, found.amount) == ("unknown", 2, Decimal(0))
    assert found.causes == (
        Cause("billed again", 1, Decimal("0.03")),
        Cause("for no message", 0, Decimal("-0.03")),
        Cause("not here", 1, Decimal("0.05")),
        Cause("not on the invoice", 1, Decimal("-0.05")),
    )


def test_the_messages_that_differ_are_listed_with_both_amounts(small: Small, tmp_path: Path) -> None:
    small.show(Sent("a"), Sent("b", price=None), Sent("c", FEBRUARY), Sent("agrees"))
    billed = invoice(("b", "0.07"), ("c", "0.05"), (None, "9"), ("agrees", "0.05"), ("new", "0.01"))
    found = compare(Queries(small.connection, JANUARY), billed)
    result = CloseResult(JANUARY, Status.REFUSED, (), differing=found.messages)
    path = write_differing(result, replace(billed, digest="0123456789"), tmp_path / "reports")
    assert path is not None
    assert path.name == "sms-invoice-differences-2026-01-01234567.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header, *rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    assert header[:6] == ["uuid", "business_day", "our_amount", "invoice_amount", "difference", "currency"]
    assert header[6:] == ["bucket", "cause", "invoice_line"]
    assert [[row[0], *row[1:5], *row[6:]] for row in rows] == [
        [str(uuid_of("c")), "2026-02-01", "", "0.050000", "0.050000", "late", "of another month here", "3"],
        ["", "", "", "9.000000", "9.000000", "unknown", "for no message", "4"],
        [str(uuid_of("new")), "", "", "0.010000", "0.010000", "unknown", "not here", "6"],
        [str(uuid_of("a")), "2026-01-01", "0.050000", "", "-0.050000", "unknown", "not on the invoice", ""],
        [str(uuid_of("b")), "2026-01-01", "", "0.070000", "0.070000", "unpriced", "no price here", "2"],
    ]


@pytest.mark.parametrize("text", [b"uuid,amount\n%s,0.05\n", b"amount\n0.07\n"], ids=["agrees", "totals"])
def test_without_messages_that_differ_there_is_no_list(small: Small, tmp_path: Path, text: bytes) -> None:
    small.show(Sent("a"))
    billed = parse_invoice(text.replace(b"%s", str(uuid_of("a")).encode()))
    found = compare(Queries(small.connection, JANUARY), billed)
    result = CloseResult(JANUARY, Status.REFUSED, (), differing=found.messages)
    assert write_differing(result, billed, tmp_path / "reports") is None
    assert not list(tmp_path.iterdir())


def test_a_message_that_is_twice_on_the_invoice_is_unknown_once_and_said(small: Small) -> None:
    small.show(Sent("a"))
    found = compared(small, ("a", "0.06"), ("a", "0.05"))
    assert found.differences == (in_bucket("unknown", "billed again", "0.06"),)
    assert found.twice == 1


def test_another_currency_is_another_price(small: Small) -> None:
    small.show(Sent("a"))
    assert compared(small, ("a", "0.06"), currency="CHF").differences == (
        in_bucket("price differs", "another currency", "0.06", currency="CHF"),
        in_bucket("price differs", "another currency", "-0.05"),
    )


def test_what_was_corrected_and_is_billed_now_agrees(small: Small) -> None:
    small.show(Sent("a"))
    small.close(JANUARY)
    small.show(Sent("a"), Sent("late", price="0.01"), Sent("f", FEBRUARY))
    small.book()
    february = Queries(small.connection, FEBRUARY)
    assert compare(february, invoice(("f", "0.05"), ("late", "0.01"))) == InvoiceComparison()
    (found,) = compare(february, invoice(("f", "0.05"))).differences
    assert found == in_bucket("late", "correction not on the invoice", "-0.01")


def test_a_closed_month_is_compared_as_it_was_closed(small: Small) -> None:
    small.show(Sent("a"))
    small.close(JANUARY)
    small.show(Sent("a", price="0.06"))
    assert compared(small, ("a", "0.05")) == InvoiceComparison()


def test_without_uuids_totals_are_compared(small: Small) -> None:
    small.show(Sent("a"), Sent("b"))
    found = compare(Queries(small.connection, JANUARY), parse_invoice(b"amount\n0.04\n0.07\n"))
    assert found.differences == (in_bucket("unknown", "only totals are compared", "0.01", messages=0),)


def test_a_line_without_a_currency_is_in_that_of_the_month(small: Small) -> None:
    small.show(Sent("a", currency="CHF"))
    assert compared(small, ("a", "0.05"), currency=None) == InvoiceComparison()


def test_of_a_month_in_two_currencies_every_line_names_its_own(small: Small) -> None:
    small.show(Sent("a", currency="CHF"), Sent("b"))
    with pytest.raises(InvoiceUnreadable, match=r"Line 2 .* names no currency, and the month has CHF, EUR"):
        compared(small, ("a", "0.05"), currency=None)


names = st.sampled_from("abcdefgh")
amounts = st.sampled_from(("0", "0.000001", "0.05", "0.06", "999999999999.999999"))
currencies = st.sampled_from(("EUR", "CHF"))
sent = st.builds(
    Sent,
    name=names,
    month=st.sampled_from((JANUARY, FEBRUARY, MARCH)),
    price=st.none() | amounts,
    currency=currencies,
    is_gone=st.booleans(),
)
messages = st.lists(sent, max_size=8, unique_by=lambda each: each.name)
billed_lines = st.lists(
    st.builds(
        InvoiceLine,
        line=st.integers(2, 99),
        uuid=st.none() | names.map(uuid_of),
        amount=(amounts | st.just("-0.05")).map(Decimal),
        currency=currencies,
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, derandomize=True)
@given(messages, messages, billed_lines, st.booleans())
def test_the_buckets_add_up_to_the_invoice_less_ours(
    before: Sequence[Sent], now: Sequence[Sent], lines: Sequence[InvoiceLine], has_uuids: bool
) -> None:
    with small_warehouse() as small:
        small.show(*before)
        small.close(JANUARY)
        small.show(*now)
        small.book()
        february = Queries(small.connection, FEBRUARY)
        found = compare(february, Invoice(tuple(lines), has_uuids, ""))
        expected = by_currency((each.currency or "", each.amount) for each in lines)
        for total in open_totals(february):
            expected[total.currency] -= total.cost
        differences = by_currency((each.currency, each.amount) for each in found.differences)
        assert all(sum(cause.amount for cause in each.causes) == each.amount for each in found.differences)
        if has_uuids and found.messages is not None:
            listed = by_currency((row["currency"], row["difference"]) for row in found.messages.to_pylist())
            assert listed == differences
        assert all(differences[each] == expected[each] for each in ("EUR", "CHF"))


def by_currency(pairs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in pairs:
        sums[currency] += amount
    return sums
