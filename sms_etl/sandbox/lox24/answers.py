"""The shapes of answers: exact JSON, hydra collections, and errors like the documented ones."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.lifecycle import Row

LD_JSON, JSON, PROBLEM, ND_JSON = (
    "application/ld+json",
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
)
# Decimals are written as numbers, digit by digit as they are.
_encoder = msgspec.json.Encoder(decimal_format="number")
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    414: "URI Too Long",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    504: "Gateway Timeout",
}


def json_bytes(value: object) -> bytes:
    """Return a value as JSON; a Decimal keeps its digits."""
    return _encoder.encode(value)


def json_lines(values: Sequence[object]) -> bytes:
    """Return values as JSON, one a line."""
    return _encoder.encode_lines(values)


def answer(
    value: object, *, status: int = 200, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a value as JSON."""
    return Response(json_bytes(value), status, headers, media_type)


def problem(
    status: int,
    detail: str,
    *,
    violations: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with an error.

    Args:
        status: HTTP status.
        detail: What is wrong.
        violations: What is wrong with each property, by its path.
        headers: More headers, such as `Retry-After`.
    """
    body: Row = {"type": f"/errors/{status}", "title": _TITLES.get(status, "Error"), "detail": detail}
    if violations:
        body["violations"] = [{"propertyPath": path, "message": text} for path, text in violations.items()]
    return answer(body, status=status, media_type=PROBLEM, headers=headers)


def wants_ld(request: Request) -> bool:
    """Say whether ld+json is asked for; without it the answer is plain JSON."""
    return LD_JSON in request.headers.get("accept", "")


def one(request: Request, row: Row, *, path: str, kind: str, status: int = 200) -> Response:
    """Answer with a single object."""
    if not wants_ld(request):
        return answer(row, status=status)
    linked = {"@context": f"/contexts/{kind}", "@id": path, "@type": kind, **row}
    return answer(linked, status=status, media_type=LD_JSON)


def collection(
    request: Request,
    rows: Sequence[Row],
    *,
    path: str,
    kind: str,
    total: int,
    page: int,
    last: int,
    switches: SandboxSwitches,
) -> Response:
    """Answer with a page: a bare array in plain JSON, a hydra collection in ld+json.

    Args:
        request: What is answered.
        rows: Of this page.
        path: Of the collection.
        kind: `@type` of a row.
        total: Matches on all pages.
        page: This page's number.
        last: The last page's number.
        switches: What is said of totals, and how it is spelt.
    """
    if not wants_ld(request):
        return answer(rows)
    others = [pair for pair in parse_qsl(request.url.query, keep_blank_values=True) if pair[0] != "page"]

    def link(number: int) -> str:
        return f"{path}?{urlencode([*others, ('page', number)])}"

    prefix = "hydra:" if switches.hydra_prefix else ""
    has_total = switches.totals == "exact"
    told = min(total, switches.total_cap or total)
    view: Row = {
        "@id": link(page),
        "@type": f"{prefix}PartialCollectionView",
        f"{prefix}first": link(1),
    }
    if has_total:
        view[f"{prefix}last"] = link(max(1, -(-told * last // max(total, 1))))
    if page > 1:
        view[f"{prefix}previous"] = link(page - 1)
    if page < last:
        view[f"{prefix}next"] = link(page + 1)
    body = {
        "@context": f"/contexts/{kind}",
        "@id": path,
        "@type": f"{prefix}Collection",
        f"{prefix}member": [{"@id": f"{path}/{row['uuid']}", "@type": kind, **row} for row in rows],
        **({f"{prefix}totalItems": told} if has_total else {}),
        f"{prefix}view": view,
    }
    return answer(body, media_type=LD_JSON)


def exact_number(amount: Decimal) -> Decimal:
    """Return an amount as it is to stand in JSON: no trailing zeros, an integer where it is whole."""
    text = format(amount, "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
