"""Reads an answer that JSON's reader refuses, or that is too large to be held: row by row, as it arrives.

The slow way, taken only once the quick one failed. Rows are told apart by strings and the depth of brackets
alone: linear in time, without recursion, and never holding more than a page may have. What comes out is JSON
again, with a stand-in for each row that cannot be read: what is readable of its fields, and a mark that makes
it a bad row (`records.py`). A stand-in keeps neither the value that is wrong nor its text. Pure.
"""

import re
from dataclasses import dataclass, field

import msgspec

from sms_etl.providers.lox24.bodies import MAX_BODY_BYTES
from sms_etl.providers.lox24.records import MOST_LEVELS, UNREADABLE, Unread, unread_row

_MOST_OF_A_ROW = MAX_BODY_BYTES // 4
"""So that one row does not cost the others their place; alone in its answer, a row may have all of it."""
_MOST_OF_A_FIELD = 1024
"""Of a row that cannot be read: enough for a uuid, a time, a price."""
_MOST_FIELDS = 100
_MOST_BESIDE_ROWS = 64 * 1024
"""Totals and links."""
_MOST_ROWS = 100_000

IS_CUT = "sms_etl:is_cut"
"""In what comes out: some rows had no place that would have one in a smaller answer."""
_MEMBERS = {b'"hydra:member"', b'"member"'}
_MARKS = re.compile(rb'["\[\]{},:]')
_DEEP_MARKS = re.compile(rb'"|[\[{]++|[\]}]++')
_FLAT_ROW = re.compile(rb'\s*+(\{(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+\})\s*+(?=[,\]])', re.DOTALL)
"""Most rows: read at once where the whole of one has come."""
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_HALF_CHARACTER = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_REPLACEMENT = rb"\ufffd"
_decode_anything = msgspec.json.Decoder(msgspec.Raw).decode


class NotAListingError(ValueError):
    """An answer has no rows where a listing has them, or breaks off."""


def with_whole_characters(text: bytes) -> bytes:
    """Replace halves of characters, as of a text cut within an emoji: JSON has no place for them."""
    return _HALF_CHARACTER.sub(lambda escape: _REPLACEMENT if escape["half"] else escape[0], text)


@dataclass(slots=True)
class _Kept:
    """Bytes that are kept as they come, unless they are too many."""

    most: int
    text: bytearray = field(default_factory=bytearray)
    size: int = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.is_whole:
            self.text += piece
        else:
            self.text.clear()

    @property
    def is_whole(self) -> bool:
        return self.size <= self.most

    def value(self) -> bytes | None:
        """Return what was kept; None if it was too much."""
        return bytes(self.text).strip() if self.is_whole else None


@dataclass(slots=True)
class _Row:
    text: _Kept
    fields: dict[bytes, bytes | None] = field(default_factory=dict)
    """By name as written; None where there is more of it than is kept."""
    levels: int = 0


class Salvage:
    """Takes an answer piece by piece, and makes JSON of it that can be read.

    Args:
        is_listing: Whether rows are expected; otherwise the whole answer is one.
    """

    def __init__(self, *, is_listing: bool = True) -> None:
        self._rows: list[bytes] = []
        self._beside: dict[bytes, bytes | None] = {}
        self._room = MAX_BODY_BYTES
        self._is_cut = False
        self._row_depth = 2 if is_listing else 0
        self._is_among_rows = not is_listing
        self._has_rows = not is_listing
        self._depth = 0
        self._is_begun = self._is_ended = False
        self._is_in_string = False
        self._is_escaped = False
        self._members = b""
        self._name: bytes | None = None
        self._field: _Kept | None = None
        self._row: _Row | None = None if is_listing else self._new_row()

    def feed(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            NotAListingError: It cannot be one, whatever follows.
        """
        if not self._is_begun:
            piece = piece.lstrip()
            if not piece:
                return
            if not piece.startswith(b"{"):
                raise NotAListingError("it does not begin like one")
            self._is_begun = True
        if self._is_ended:
            self._refuse_more(piece)
        kept = at = 0
        end = len(piece)
        while at < end:
            if self._is_in_string:
                at = self._skip_string(piece, at)
                continue
            if self._is_before_row and (flat := _FLAT_ROW.match(piece, at)) and self._take(flat[1]):
                kept = at = flat.end()
                continue
            is_deep = self._depth > self._fields_depth
            mark = (_DEEP_MARKS if is_deep else _MARKS).search(piece, at)
            if mark is None:
                break
            at = mark.end()
            if mark[0] == b'"':
                self._is_in_string = True
            elif is_deep:
                at = self._move(mark[0], mark.start())
            else:
                kept = self._meet(mark[0], piece, kept, mark.start())
                if self._is_ended:
                    self._refuse_more(piece[at:])
                    return
        self._keep(piece[kept:])

    def result(self) -> bytes:
        """Return what was read.

        Raises:
            NotAListingError: There were no rows, or the answer broke off.
        """
        if not self._is_ended or not self._has_rows:
            raise NotAListingError("it has no rows, or breaks off")
        if not self._row_depth:
            self._end_row()
            return self._rows[0]
        fields = [
            b"%b:%b" % (name, value)
            for name, value in self._beside.items()
            if value is not None and name not in _MEMBERS and _is_json(name) and _is_json(value)
        ]
        if self._is_cut:
            fields.append(b'"%b":true' % IS_CUT.encode())
        return b"{%b}" % b",".join([b"%b:[%b]" % (self._members, b",".join(self._rows)), *fields])

    def _skip_string(self, piece: bytes, at: int) -> int:
        """Go to the end of a string; return where what follows begins."""
        if self._is_escaped:
            self._is_escaped = False
            return at + 1
        match = _REST_OF_STRING.match(piece, at)
        end = match.end() if match else at
        if end < len(piece):
            self._is_escaped = piece[end : end + 1] == b"\\"  # the last byte of this piece
            self._is_in_string = self._is_escaped
        return end + 1

    @property
    def _is_before_row(self) -> bool:
        return self._row is not None and not self._row.text.size and self._depth == self._row_depth == 2

    def _take(self, text: bytes) -> bool:
        """Take a row as it is; return whether it could be."""
        is_taken = len(text) <= self._most_of_a_row and len(self._rows) < _MOST_ROWS and _is_json(text)
        if is_taken:
            self._room -= len(text)
            self._rows.append(text)
            self._row = None
        return is_taken

    def _move(self, brackets: bytes, at: int) -> int:
        """Go up or down within a value; return where what follows begins."""
        count = len(brackets)
        if brackets[:1] in b"[{":
            self._depth += count
            if self._row is not None:
                self._row.levels = max(self._row.levels, self._depth - self._row_depth)
        else:
            count = min(count, self._depth - self._fields_depth)
            self._depth -= count
        return at + count

    def _meet(self, mark: bytes, piece: bytes, kept: int, at: int) -> int:
        """Act on a mark of structure; return from where on the piece is not kept yet."""
        if mark in b"{[":
            return self._open(mark, piece, kept, at)
        if mark in b"}]":
            return self._close(mark, piece, kept, at)
        is_in_rows, depth = self._is_among_rows, self._depth
        if is_in_rows and depth == self._row_depth and mark == b",":
            self._keep(piece[kept:at])
            self._end_row()
            self._row = self._new_row()
            return at + 1
        if depth == self._fields_depth:
            self._keep(piece[kept:at])
            if mark == b":" and self._name is None:
                self._name = (self._field and self._field.value()) or b""
                self._field = _Kept(self._most_of_a_field)
            elif mark == b",":
                self._end_field()
                self._begin_field()
            elif self._field is not None:
                self._field.add(mark)
            if self._row is not None:
                self._row.text.add(mark)
            return at + 1
        return kept

    @property
    def _fields_depth(self) -> int:
        """At which depth names and values stand that are kept."""
        return self._row_depth + 1 if self._is_among_rows else 1

    @property
    def _most_of_a_field(self) -> int:
        return _MOST_OF_A_FIELD if self._is_among_rows else _MOST_BESIDE_ROWS

    def _open(self, mark: bytes, piece: bytes, kept: int, at: int) -> int:
        self._depth += 1
        if self._is_among_rows:
            if self._row is not None:
                self._row.levels = max(self._row.levels, self._depth - self._row_depth)
            if self._depth == self._row_depth + 1 and mark == b"{":
                self._keep(piece[kept : at + 1])
                self._begin_field()
                return at + 1
            return kept
        if self._depth == 1:
            self._begin_field()
            return at + 1
        if self._depth == self._row_depth and mark == b"[" and self._name in _MEMBERS and not self._has_rows:
            self._is_among_rows = self._has_rows = True
            self._members = self._name
            self._name = self._field = None
            self._row = self._new_row()
            return at + 1
        return kept

    def _close(self, mark: bytes, piece: bytes, kept: int, at: int) -> int:
        if not self._depth:
            raise NotAListingError("it closes what it did not open")
        if self._is_among_rows and self._depth == self._row_depth and self._row_depth:
            if mark != b"]":
                raise NotAListingError("its rows do not end")
            self._keep(piece[kept:at])
            self._end_row(is_last=True)
            self._is_among_rows = False
            self._depth -= 1
            return at + 1
        if self._depth == self._fields_depth:
            self._keep(piece[kept:at])
            self._end_field()
            if self._row is not None:
                self._row.text.add(mark)
            kept = at + 1
        self._depth -= 1
        self._is_ended = not self._depth
        return kept

    def _refuse_more(self, piece: bytes) -> None:
        if piece.strip():
            raise NotAListingError("it goes on behind its end")

    def _keep(self, piece: bytes) -> None:
        if self._row is not None:
            self._row.text.add(piece)
        if self._field is not None:
            self._field.add(piece)

    def _begin_field(self) -> None:
        self._name, self._field = None, _Kept(self._most_of_a_field)

    def _end_field(self) -> None:
        if self._field is not None and self._name is not None:
            fields = self._beside if self._row is None else self._row.fields
            if len(fields) < _MOST_FIELDS or self._name in fields:
                fields[self._name] = self._field.value()
        self._name = self._field = None

    def _new_row(self) -> _Row:
        return _Row(_Kept(self._most_of_a_row))

    @property
    def _most_of_a_row(self) -> int:
        return min(self._room, _MOST_OF_A_ROW) if self._row_depth else MAX_BODY_BYTES

    def _end_row(self, *, is_last: bool = False) -> None:
        row, self._row = self._row, None
        if row is None or (is_last and row.text.value() == b""):
            return
        if len(self._rows) >= _MOST_ROWS or self._room < -MAX_BODY_BYTES:
            raise NotAListingError("it has too many rows")
        text = row.text.value()
        if text is None:
            self._is_cut = self._is_cut or row.text.size <= MAX_BODY_BYTES
        read = _as_it_is(text, row) or _stand_in(row, text)
        self._room -= len(read)
        self._rows.append(read)


def _as_it_is(text: bytes | None, row: _Row) -> bytes | None:
    """Return a row as it was sent, or with halves of characters replaced; None if it is no JSON even so."""
    if text is None or row.levels > MOST_LEVELS:
        return None
    if _is_json(text):
        return text
    mended = with_whole_characters(text)
    return mended if _is_json(mended) else None


def _stand_in(row: _Row, text: bytes | None) -> bytes:
    read: dict[bytes, bytes] = {}
    unread: dict[bytes, int | None] = {}
    for name, value in row.fields.items():
        if not name.startswith(b'"') or not _is_json(name):
            continue
        if value is not None and _is_json(value):
            read[name] = value
        else:
            unread[name] = None if value is None else len(value)
    if text is None:
        why = Unread.TOO_LARGE
    else:
        why = Unread.TOO_DEEP if row.levels > MOST_LEVELS else Unread.NOT_JSON
    return unread_row(read, why, unread, size=row.text.size)


def _is_json(text: bytes) -> bool:
    try:
        _decode_anything(text)
    except UNREADABLE:
        return False
    return True
