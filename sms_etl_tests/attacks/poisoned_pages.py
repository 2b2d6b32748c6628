"""The table of poisoned pages: what is answered in place of a page, and how a sync may end.

Where a sync may end well, all good rows are loaded then. Where it may be refused, it ends with a clear error,
and what a sync read before is kept. Either way, the next sync with a healthy provider is whole.
"""

import gzip
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sms_etl_tests.attacks.attack import DONE, NEEDS_ATTENTION, REFUSED
from sms_etl_tests.attacks.stand_in import Listing, StandIn, written
from sms_etl_tests.providers.lox24.server import Reply

PERSONAL = ("+4915199887766", "Annabella Mustermann", "annabella@example.invalid")
"""What some of the pages quote, and nobody may repeat."""
_QUOTED = " ".join(PERSONAL).encode()

Answer = Callable[[Listing], Reply | None]

WELL = frozenset({DONE})
WELL_BUT_BAD = frozenset({NEEDS_ATTENTION})
HOPELESS = frozenset({REFUSED})
WELL_OR_HOPELESS = WELL | HOPELESS
ANY = WELL | WELL_BUT_BAD | HOPELESS


@dataclass(frozen=True)
class PageCase:
    """One way to poison a page."""

    name: str
    answer: Answer | None
    codes: Collection[int]
    """How the sync may end."""
    is_everywhere: bool = False
    """Whether every page of messages is poisoned, not only the one in the middle."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of every answer."""
    replies: Mapping[str, Reply] = field(default_factory=dict)
    """By path, whatever is asked."""
    is_known: bool = False
    """Whether a healthy sync went before: what it found out about the provider holds no more."""
    lost: bool = False
    """Whether the row in the middle cannot be read, though the sync ends well."""
    all_lost: bool = False
    """Whether no row can be read, though the sync may end with all of them in quarantine."""


def body(text: bytes, *, status: int = 200, **headers: str) -> Answer:
    """Answer these bytes."""
    return lambda listing: listing.reply(text, status=status, headers=headers)


def changed(change: Callable[[bytes], bytes], **headers: str) -> Answer:
    """Answer the page's bytes, changed."""
    return lambda listing: listing.reply(change(listing.body()), headers=headers)


def _replaced(old: bytes, new: bytes) -> Answer:
    """Change the first such bytes of the page: those of the row in the middle, which is its first."""
    return changed(lambda text: text.replace(old, new, 1))


def total(text: bytes) -> Answer:
    """Answer the page with these bytes for its total; none leave it out."""
    return lambda listing: listing.reply(listing.body(total=text))


def total_off_by(number: int) -> Answer:
    return lambda listing: listing.reply(listing.body(total=b"%d" % (listing.total + number)))


def member(text: bytes) -> Answer:
    """Answer the page with these bytes for its rows."""
    return lambda listing: listing.reply(b'{"hydra:member":%b,"hydra:totalItems":%d}' % (text, listing.total))


def reply(answer: Reply) -> Answer:
    return lambda _listing: answer


def _truncated(text: bytes) -> bytes:
    return text[: len(text) // 2]


def _renamed(text: bytes) -> bytes:
    return text.replace(b'"hydra:', b'"')


def _bomb(_listing: Listing) -> Reply:
    """Answer a quarter of a megabyte that unpacks to a quarter of a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * 2**20
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    further = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)  # the same each time, from here on
    return Reply(
        200, first + further * 255, {"Content-Encoding": "gzip", "Content-Type": "application/ld+json"}
    )


STRANGER = "0191ab12-7f10-11ef-8000-eeeeeeeeeeee"


def _strangers(listing: Listing) -> Reply:
    """Answer every listing with one row more behind its last one, of another month, and count it."""
    row = listing.planted[0].truth if listing.planted else {}
    stranger = written(row | {"uuid": STRANGER, "created_at": 1_000_000})
    rows = [*listing.rows, *([] if listing.has_next or not row else [stranger])]
    return listing.reply(listing.body(rows=rows, total=b"%d" % (listing.total + 1)))


def _all_outside(listing: Listing) -> Reply:
    rows = [written(planted.truth | {"created_at": 1_000_000}) for planted in listing.planted]
    return listing.reply(listing.body(rows=rows))


def _doubled(listing: Listing) -> Reply:
    return listing.reply(listing.body(rows=[row for row in listing.rows for _ in range(2)]))


def _doubled_and_counted(listing: Listing) -> Reply:
    rows = [row for row in listing.rows for _ in range(2)]
    return listing.reply(listing.body(rows=rows, total=b"%d" % (2 * listing.total)))


def _growing_total() -> Answer:
    asked: list[int] = []

    def answer(listing: Listing) -> Reply:
        asked.append(1)
        return listing.reply(listing.body(total=b"%d" % (listing.total + len(asked))))

    return answer


def _never_empty() -> Answer:
    """Promise a million rows, and answer the first page again where there are none."""
    first: dict[str, Sequence[bytes]] = {}

    def answer(listing: Listing) -> Reply:
        question = repr([pair for pair in listing.query if pair[0] != "page"])
        if listing.number == 1:
            first[question] = listing.rows
        return listing.reply(listing.body(rows=listing.rows or first.get(question, ()), total=b"1000000"))

    return answer


def _first_page_again() -> Answer:
    first: dict[str, bytes] = {}

    def answer(listing: Listing) -> Reply:
        question = repr([pair for pair in listing.query if pair[0] != "page"])
        if listing.number == 1:
            first[question] = listing.body()
        return listing.reply(first.get(question, listing.body()))

    return answer


_HTML = b"<!doctype html><title>Maintenance</title><h1>Back soon</h1><p>" + _QUOTED
_ERROR = (
    b'{"type":"x","title":"Bad","detail":"%b","violations":[{"propertyPath":"phone","message":"%b"}]}'
    % (
        _QUOTED,
        _QUOTED,
    )
)


def _me(text: bytes, status: int = 200) -> Mapping[str, Reply]:
    return {"/me": Reply(status, text, {"Content-Type": "application/json"})}


def _no_json() -> list[PageCase]:
    texts = {
        "words": b"not json at all: " + _QUOTED,
        "HTML": _HTML,
        "empty": b"",
        "null": b"null",
        "a number": b"4915199887766",
        "a text": b'"' + _QUOTED + b'"',
        "a bare array": b'[{"phone":"+4915199887766"}]',
        "an empty object": b"{}",
        "only brackets": b"[" * 200_000,
        "a lone quote": b'"',
        "null bytes": b"\0" * 1000,
        "XML": b"<?xml version='1.0'?><member>" + _QUOTED + b"</member>",
        "an error with 200": _ERROR,
    }
    return [PageCase(f"page: {name}", body(text), HOPELESS) for name, text in texts.items()]


def _cut_and_packed() -> list[PageCase]:
    return [
        PageCase("page: truncated", changed(_truncated), ANY, lost=True),
        PageCase("page: a row without its end", _replaced(b'","voice_lang"', b""), ANY, lost=True),
        PageCase("page: a text that never ends", _replaced(b' is on its way"', b" is"), ANY, lost=True),
        PageCase("page: one bracket too many", _replaced(b"},{", b"}},{"), ANY, lost=True),
        PageCase("page: rubbish behind it", changed(lambda text: text + b"}]" + _QUOTED), ANY),
        PageCase("page: twice in one body", changed(lambda text: text + text), ANY),
        PageCase("page: a megabyte of blanks before it", changed(lambda text: b" " * 2**20 + text), WELL),
        PageCase("page: a byte order mark", changed(lambda text: b"\xef\xbb\xbf" + text), WELL_OR_HOPELESS),
        PageCase("page: UTF-16", changed(lambda text: text.decode().encode("utf-16")), HOPELESS),
        PageCase("page: comments in it", changed(lambda text: b"/* hi */" + text), HOPELESS),
        PageCase("page: 17 MiB of blanks", changed(lambda text: text + b" " * (17 * 2**20)), WELL),
        PageCase(
            "page: said to be a gigabyte",
            body(b"{}", content_length=str(2**30), connection="close"),
            HOPELESS,
        ),
        PageCase(
            "page: shorter than said",
            body(b'{"hydra:member":[', content_length="9000", connection="close"),
            HOPELESS,
        ),
        PageCase(
            "page: gzip", changed(lambda text: gzip.compress(text, mtime=0), content_encoding="gzip"), WELL
        ),
        PageCase(
            "page: gzip, cut",
            changed(lambda text: gzip.compress(text, mtime=0)[:-400], content_encoding="gzip"),
            ANY,
        ),
        PageCase("page: gzip that is none", changed(lambda text: text, content_encoding="gzip"), HOPELESS),
        PageCase("page: a gzip bomb", _bomb, HOPELESS),
        PageCase("page: packed as nobody asked", changed(lambda text: text, content_encoding="br"), HOPELESS),
    ]


def _totals() -> list[PageCase]:
    def everywhere(name: str, answer: Answer, codes: Collection[int]) -> list[PageCase]:
        return [
            PageCase(f"page, total: {name}", answer, codes, is_everywhere=True),
            PageCase(f"page, total, by now: {name}", answer, codes, is_everywhere=True, is_known=True),
        ]

    either = WELL_OR_HOPELESS
    return [
        *everywhere("a million", total(b"1000000"), either),
        *everywhere("a million, and no page is empty", _never_empty(), HOPELESS),
        *everywhere("2^70", total(b"1180591620717411303424"), either),
        *everywhere("negative", total(b"-17"), either),
        *everywhere("a text", total(b'"+4915199887766"'), either),
        *everywhere("null", total(b"null"), either),
        *everywhere("missing", total(b""), either),
        *everywhere("a fraction", total(b"60.5"), either),
        *everywhere("an object", total(b'{"value":60}'), either),
        *everywhere("zero", total(b"0"), either),
        *everywhere("one too few", total_off_by(-1), either),
        *everywhere("one too many", total_off_by(1), either),
        *everywhere("another one each time", _growing_total(), either),
        *everywhere("there twice", total(b'60,"hydra:totalItems":61'), either),
        *everywhere("NaN", total(b"NaN"), either),
        *everywhere("0060", total(b"0060"), either),
    ]


def _members() -> list[PageCase]:
    return [
        PageCase("page, rows: missing", body(b'{"hydra:totalItems":60}'), HOPELESS),
        PageCase("page, rows: null", member(b"null"), HOPELESS),
        PageCase("page, rows: an object", member(b'{"0":{"phone":"+4915199887766"}}'), HOPELESS),
        PageCase("page, rows: a text", member(b'"' + _QUOTED + b'"'), HOPELESS),
        PageCase("page, rows: none", member(b"[]"), ANY),
        PageCase("page, rows: each twice", _doubled, ANY),
        PageCase("page, rows: each twice, and counted so", _doubled_and_counted, ANY, is_everywhere=True),
        PageCase("page, rows: those of the first page again", _first_page_again(), ANY, is_everywhere=True),
        PageCase("page, rows: a stranger among them", _strangers, WELL_BUT_BAD, is_everywhere=True),
        PageCase(
            "page, rows: all outside the time asked for",
            _all_outside,
            HOPELESS | WELL_BUT_BAD,
            is_everywhere=True,
            all_lost=True,
        ),
    ]


def _beside_the_rows() -> list[PageCase]:
    def before(text: bytes) -> Answer:
        return changed(lambda page: b"{" + text + b"," + page[1:])

    elsewhere = b'"hydra:next":"http://127.0.0.1:9/evil?token=1"'
    return [
        PageCase("page: names without a prefix", changed(_renamed), WELL_OR_HOPELESS, is_everywhere=True),
        PageCase("page: keys nobody knows", before(b'"a":1,"%b":[{"b":null}]' % _QUOTED), WELL),
        PageCase(
            "page: five megabytes of a key nobody knows", before(b'"a":"' + b"y" * 5_000_000 + b'"'), WELL
        ),
        PageCase("page: a key nested 100,000 deep", before(b'"a":' + b"[" * 100_000 + b"]" * 100_000), ANY),
        PageCase("page: a key that is no JSON", before(b'"a":0x10'), ANY),
        PageCase("page: a next link elsewhere", before(b'"hydra:view":{%b}' % elsewhere), WELL),
        PageCase("page: a view that is a text", before(b'"hydra:view":"%b"' % _QUOTED), WELL),
    ]


def _headers() -> list[PageCase]:
    return [
        PageCase("page: HTML by its header", changed(lambda text: text, content_type="text/html"), WELL),
        PageCase(
            "page: UTF-7 by its header",
            changed(lambda text: text, content_type="application/json; charset=utf-7"),
            WELL,
        ),
        PageCase(
            "page: a request id that quotes a number",
            body(_ERROR, status=422),
            HOPELESS,
            headers={"X-LOX24-REQUEST-ID": f"{PERSONAL[0]} {PERSONAL[2]}"},
        ),
        PageCase(
            "page: a request id that quotes a number, and all is well",
            None,
            WELL,
            headers={"X-LOX24-REQUEST-ID": f"{PERSONAL[0]} {PERSONAL[2]}"},
        ),
        PageCase(
            "page: a request id of terminal escapes",
            body(b"nothing"),
            HOPELESS,
            headers={"X-LOX24-REQUEST-ID": "\x1b[2J\x1b]0;owned\x07" + "a" * 5000},
        ),
    ]


def _refusals() -> list[PageCase]:
    statuses = (204, 206, 302, 400, 401, 402, 403, 404, 409, 422, 429, 500, 503)
    return [
        PageCase(
            f"page: a {status} that quotes a number",
            body(
                b"" if status == 204 else _ERROR,
                status=status,
                location=f"http://127.0.0.1:9/{PERSONAL[0]}",
                retry_after="0",
            ),
            HOPELESS,
        )
        for status in statuses
    ]


def _accounts() -> list[PageCase]:
    texts = {
        "a currency that is two": b'{"id":4711,"currency":"EUR/CHF"}',
        "a currency of forty letters": b'{"id":4711,"currency":"' + b"E" * 40 + b'"}',
        "a currency that is a number of a phone": b'{"id":4711,"currency":"+4915199887766"}',
        "an empty currency": b'{"id":4711,"currency":""}',
        "a currency in lower case with a blank": b'{"id":4711,"currency":"eu r"}',
        "a currency that is null": b'{"id":4711,"currency":null}',
        "no currency": b'{"id":4711}',
        "no id": b'{"currency":"EUR"}',
        "an id that is null": b'{"id":null,"currency":"EUR"}',
        "HTML": _HTML,
        "empty": b"",
        "nested 100,000 deep": b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    }
    return [
        *(
            PageCase(f"page, account: {name}", None, HOPELESS, replies=_me(text))
            for name, text in texts.items()
        ),
        PageCase("page, account: a 500 that quotes a number", None, HOPELESS, replies=_me(_ERROR, 500)),
    ]


def _of_bulks() -> list[PageCase]:
    def bulks(text: bytes, status: int = 200) -> Mapping[str, Reply]:
        return {"/bulks": Reply(status, text, {"Content-Type": "application/ld+json"})}

    return [
        PageCase("page, bulks: HTML", None, WELL_BUT_BAD, replies=bulks(_HTML)),
        PageCase("page, bulks: a 403 that quotes a number", None, WELL_BUT_BAD, replies=bulks(_ERROR, 403)),
        PageCase("page, bulks: a 422 that quotes a number", None, WELL_BUT_BAD, replies=bulks(_ERROR, 422)),
        PageCase(
            "page, bulks: rows that are null", None, WELL_BUT_BAD, replies=bulks(b'{"hydra:member":null}')
        ),
    ]


PAGES: tuple[PageCase, ...] = (
    *_no_json(),
    *_cut_and_packed(),
    *_totals(),
    *_members(),
    *_beside_the_rows(),
    *_headers(),
    *_refusals(),
    *_accounts(),
    *_of_bulks(),
)


def poison(provider: StandIn, case: PageCase) -> None:
    """Let the stand-in poison the page in the middle, or all of them."""
    middle = provider.messages[len(provider.messages) // 2]

    def spoil(listing: Listing) -> Reply | None:
        is_meant = case.is_everywhere or any(planted is middle for planted in listing.planted)
        return case.answer(listing) if case.answer and listing.path == "/sms" and is_meant else None

    provider.spoil = spoil
    provider.replies = dict(case.replies)
    provider.headers = dict(case.headers)
