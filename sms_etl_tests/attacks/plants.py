"""Personal strings that are planted everywhere a provider may put one, and how a file is searched for them.

A number is found in whatever notation it is written, as long as its digits are there in their order.
"""

import html
import io
import json
import re
import sqlite3
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from sms_etl_tests.attacks.poisoned_rows import (
    Poison,
    also,
    finally_also,
    joined,
    literal,
    literals_of,
    whole,
)
from sms_etl_tests.attacks.stand_in import Row

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s().\-/]+(?=\d)")


@dataclass(frozen=True)
class Plant:
    """A string that is personal, and where it is planted."""

    name: str
    text: str
    row: tuple[bytes, ...] | None = None
    """What is shown for a message of its own; None: it is planted elsewhere."""
    is_number: bool = False

    @property
    def digits(self) -> str:
        """Return what is left of a number in every notation: its last eleven digits."""
        return "".join(str(unicodedata.digit(sign)) for sign in self.text if sign.isdigit())[-11:]


def number(place: int) -> str:
    """Return a mobile number that is planted in one place only."""
    return f"+49151{12_340_000 + place:08d}"


def _arabic(text: str) -> str:
    return "".join(chr(0x0660 + int(sign)) if sign.isdigit() else sign for sign in text)


def _json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()


def _bare(text: str) -> str:
    return text.removeprefix("+")


def _literals(**literals: bytes) -> Poison:
    return lambda row: (joined(literals_of(row) | literals),)


IN_ERROR_BODY = Plant("in the body of an error", "Ottilie Schnabelwitz, +4915112349901")
IN_REQUEST_ID = Plant("in a request id", "+4915112349902", is_number=True)
IN_BULK_TEXT = Plant("in the text of a bulk", "Liebe Kunigunde Haferstroh")
IN_BULK_PHONES = Plant("in the numbers of a bulk", "+4915112349903", is_number=True)
IN_BULK_UNKNOWN = Plant("in an unknown field of a bulk", "kunigunde.haferstroh@example.invalid")
IN_BAD_BULK = Plant("in a bad bulk", "+4915112349904", is_number=True)
ELSEWHERE = (IN_ERROR_BODY, IN_REQUEST_ID, IN_BULK_TEXT, IN_BULK_PHONES, IN_BULK_UNKNOWN, IN_BAD_BULK)


_PLAIN = str
Of = Callable[[str], Poison]

NUMBERS: tuple[tuple[str, Callable[[str], str], Of], ...] = (
    ("phone, as documented", _PLAIN, lambda text: literal("phone", _json(text))),
    (
        "phone, with 00 and blanks",
        lambda n: f"00 49 151 {n[6:10]} {n[10:]}",
        lambda text: literal("phone", _json(text)),
    ),
    ("phone, with (0)", lambda n: f"+49(0)151-{n[6:]}", lambda text: literal("phone", _json(text))),
    (
        "phone, as it is dialled at home",
        lambda n: f"0151/{n[6:]}",
        lambda text: literal("phone", _json(text)),
    ),
    ("phone, in Arabic digits", _arabic, lambda text: literal("phone", _json(text))),
    ("phone, as a number", _bare, lambda text: literal("phone", text.encode())),
    ("phone, in an array", _PLAIN, lambda text: literal("phone", b"[" + _json(text) + b"]")),
    ("phone, of a bad row", _PLAIN, lambda text: _literals(phone=_json(text), price=b"-1")),
    ("sender_id, a number", _PLAIN, lambda text: literal("sender_id", _json(text))),
    ("callback_data, a number", _PLAIN, lambda text: literal("callback_data", _json(text))),
    ("uuid, a number", _PLAIN, lambda text: literal("uuid", _json(text))),
    ("price, a number as text", _PLAIN, lambda text: literal("price", _json(text))),
    ("price, a number as one", _bare, lambda text: literal("price", text.encode())),
    ("created_at, a number as text", _PLAIN, lambda text: literal("created_at", _json(text))),
    ("status_code, a number", _bare, lambda text: literal("status_code", text.encode())),
    ("bulk_id, a number", _PLAIN, lambda text: literal("bulk_id", _json(text))),
    ("iso2, a number", _PLAIN, lambda text: literal("iso2", _json(text))),
    ("renamed: Phone", _PLAIN, lambda text: also(b'"Phone":' + _json(text))),
    ("renamed: to, of a bad row", _PLAIN, lambda text: _literals(to=_json(text), iso2=b"17")),
    (
        "renamed: recipient, nested",
        _PLAIN,
        lambda text: also(b'"recipient":{"msisdn":[' + _json(text) + b"]}"),
    ),
    ("unknown field, a number as one", _bare, lambda text: also(b'"msisdn":' + text.encode())),
    ("in the name of a field", _PLAIN, lambda text: also(_json(text) + b":true")),
    ("in the name of a field, nested", _PLAIN, lambda text: also(b'"seen":{' + _json(text) + b":1}")),
    ("in the name of a field of a bad row", _PLAIN, lambda text: _literals(**{text: b"1", "iso2": b"17"})),
    ("a row that is a text", _PLAIN, lambda text: whole(_json(text))),
    ("a row that is an array", _PLAIN, lambda text: whole(b'[{"phone":' + _json(text) + b"}]")),
    ("a row that is no JSON", _PLAIN, lambda text: finally_also(b'"to":' + _json(text) + b',"x":0x17')),
    ("the links of a message", _PLAIN, lambda text: literal("requests", _json(f"/sms/{text}/requests"))),
    ("voice_lang, an object", _PLAIN, lambda text: literal("voice_lang", b'{"to":' + _json(text) + b"}")),
)
"""Name of the plant, how the number is written, and how a row is made to carry it."""


def _said(text: str) -> Poison:
    return literal("text", _json(f"Hallo, {text}! Bis bald"))


TEXTS: tuple[tuple[str, str, Of], ...] = (
    ("text: a name", "Wilhelmine Zwetschgenbaum", _said),
    ("text: a code", "830417529611", _said),
    ("text: an e-mail", "w.zwetschge@example.invalid", _said),
    ("text: an IBAN", "DE89370400440532013000", _said),
    ("text: a link", "https://example.invalid/t/8f3kq9zz", _said),
    ("text: a name and a code of another script", "王小明 您的验证码是 ٨٣٠٤١٧", _said),
    ("text: a name in Greek", "Ωραιόζηλη Ξανθοπούλου", _said),
    ("text: a number with blanks", "0151 9876 5432", _said),
    (
        "text, of a bad row",
        "Adelgunde Pfefferminz",
        lambda text: _literals(text=_json(text), dlr_code=b"true"),
    ),
    (
        "text, an object",
        "Balduin Pfefferminz",
        lambda text: literal("text", b'{"body":' + _json(text) + b"}"),
    ),
    ("renamed: message", "Cunigunde Pfefferminz", lambda text: also(b'"message":' + _json(text))),
    (
        "renamed: Text, of a bad row",
        "Dietlinde Pfefferminz",
        lambda text: _literals(Text=_json(text), price=b'"free"'),
    ),
    (
        "unknown field, an e-mail",
        "e.pfefferminz@example.invalid",
        lambda text: also(b'"email":' + _json(text)),
    ),
    (
        "in the name of a field, an e-mail",
        "f.pfefferminz@example.invalid",
        lambda text: also(_json(text) + b":1"),
    ),
    ("in the name of a field, a name", "Gotthilf Pfefferminz", lambda text: also(_json(text) + b":1")),
    ("callback_data, a customer", "customer Hildegunde", lambda text: literal("callback_data", _json(text))),
    ("ip", "203.0.113.77", lambda text: literal("ip", _json(text))),
    ("ip, version 6", "2001:db8:7a7a:1::77", lambda text: literal("ip", _json(text))),
    ("ip, of a bad row", "203.0.113.78", lambda text: _literals(ip=_json(text), iso2=b"17")),
    (
        "a text that is no JSON",
        "Isidor Pfefferminz",
        lambda text: literal("text", b'"' + text.encode() + b' \x01"'),
    ),
)
"""Name of the plant, the text, and how a row is made to carry it."""


def plants(rows: Sequence[Row]) -> list[Plant]:
    """Return the plants, each with a message of its own that carries it."""
    numbers = [(name, write(number(place)), of, True) for place, (name, write, of) in enumerate(NUMBERS)]
    texts = [(name, text, of, False) for name, text, of in TEXTS]
    return [
        Plant(name, text, of(text)(row), is_number)
        for row, (name, text, of, is_number) in zip(rows, [*numbers, *texts], strict=False)
    ]


# --- where they are looked for ---


def leaks(haystack: str, needles: Iterable[Plant], *, is_decoded: bool = True) -> set[str]:
    """Return the names of the plants that a text holds.

    Args:
        haystack: The text.
        needles: What is looked for.
        is_decoded: False for raw bytes, in which a short piece may stand by chance.
    """
    folded = html.unescape(haystack) if "&" in haystack else haystack
    digits = _digits_joined(folded)
    found = set()
    for plant in needles:
        written = (plant.text, json.dumps(plant.text)[1:-1])
        if any(text in folded for text in written) or (plant.is_number and plant.digits in digits):
            found.add(plant.name)
        if is_decoded and "王" in plant.text and set("王小明您验证码٨٣٠٤١٧") & set(folded):
            found.add(plant.name)
    return found


def _digits_joined(text: str) -> str:
    """Return a text with plain digits, and nothing between those of a number."""
    plain = "".join(
        str(unicodedata.digit(sign)) if sign.isdecimal() and sign > "9" else sign for sign in text
    )
    return _BETWEEN_DIGITS.sub("", plain.replace("(0)", ""))


def texts_of(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield all a file holds as text, each with where in it that stands, and whether it was decoded."""
    content = path.read_bytes()
    yield "bytes", content.decode("utf-8", "replace"), False
    yield "bytes, UTF-16", content.decode("utf-16-le", "replace"), False
    if content[:4] == b"PAR1":
        yield from _parquet(path)
    elif content[8:12] == b"DUCK":
        yield from _tables(path)
    elif content.startswith(b"SQLite format 3"):
        yield from _sqlite(path)
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                # A theme names fonts for every script there is.
                yield name, archive.read(name).decode("utf-8", "replace"), "/theme/" not in name


def _parquet(path: Path) -> Iterator[tuple[str, str, bool]]:
    file = pq.ParquetFile(path)
    yield "metadata", f"{file.schema_arrow.metadata} {file.metadata} {file.schema}", True
    table = file.read()
    for name in table.column_names:
        yield name, "\n".join(map(str, table[name].to_pylist())), True


def _tables(path: Path) -> Iterator[tuple[str, str, bool]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() union all "
            "select schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        for schema, table in tables:
            answer = connection.execute(f'select * from "{schema}"."{table}"')
            while rows := answer.fetchmany(10_000):
                yield f"{schema}.{table}", "\n".join(map(str, rows)), True
        yield "comments", str(connection.execute("select * from duckdb_columns()").fetchall()), True


def _sqlite(path: Path) -> Iterator[tuple[str, str, bool]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            rows = connection.execute(f'select * from "{table}"').fetchall()
            yield table, "\n".join(map(str, rows)), True
