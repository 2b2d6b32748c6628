"""Compares the account's bulks with one that may have been created, its answer being lost. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sms_etl.providers.lox24.bulks import Bulk, BulkStatus


class Likeness(StrEnum):
    """How a bulk of the provider compares with one that was to be created."""

    SAME = "same"
    UNCLEAR = "unclear"
    """What the provider still shows agrees, but its text or all its recipients it does not show."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Sought:
    """A bulk that may have been created: what is known of it."""

    sender_id: str = field(repr=False)
    text: str = field(repr=False)
    count: int
    """Recipients."""
    phones: Collection[str] | None = field(default=None, repr=False)
    """None if they are not known any more: their number is compared then."""

    def likeness(self, bulk: Bulk) -> Likeness:
        """Compare a bulk with it."""
        if bulk.status.is_dryrun or not _same_sender(bulk.sender_id, self.sender_id):
            return Likeness.OTHER
        recipients = self._recipients(bulk)
        text = self._text(bulk)
        if Likeness.OTHER in (recipients, text):
            return Likeness.OTHER
        return Likeness.SAME if recipients is text is Likeness.SAME else Likeness.UNCLEAR

    def _recipients(self, bulk: Bulk) -> Likeness:
        if not bulk.phones:
            return Likeness.OTHER if bulk.msg_groups else Likeness.UNCLEAR
        if self.phones is None:
            if len(bulk.phones) == self.count:
                return Likeness.SAME
            return Likeness.UNCLEAR if len(bulk.phones) < self.count else Likeness.OTHER
        shown, sought = (sorted(map(_digits, phones)) for phones in (bulk.phones, self.phones))
        if shown == sought:
            return Likeness.SAME
        # The provider may leave out numbers it does not take; to send the rest again is worse than to ask.
        return Likeness.UNCLEAR if set(shown) & set(sought) else Likeness.OTHER

    def _text(self, bulk: Bulk) -> Likeness:
        if bulk.status.is_text_deleted or not bulk.text:
            return Likeness.UNCLEAR
        return Likeness.SAME if _plain(bulk.text) == _plain(self.text) else Likeness.OTHER


class SearchResult(StrEnum):
    """What came of looking for a bulk."""

    FOUND = "found"
    NONE = "none"
    SEVERAL = "several"


@dataclass(frozen=True, slots=True)
class BulkSearch:
    """Which bulks may be the one that was looked for."""

    result: SearchResult
    """`found`: exactly one, and it is the same. `several`: more than one, or one of which the provider does
    not show enough: somebody has to decide. `none`: so far; what was sent just now may show later."""
    bulks: tuple[BulkStatus, ...]
    """The one that was found, or the candidates; oldest first."""


def search_result(candidates: Sequence[tuple[Bulk, Likeness]]) -> BulkSearch:
    """Decide which of the compared bulks is the one that was looked for."""
    alike = [(bulk, likeness) for bulk, likeness in candidates if likeness is not Likeness.OTHER]
    bulks = tuple(sorted((bulk.status for bulk, _ in alike), key=lambda status: status.created_at))
    if not alike:
        return BulkSearch(SearchResult.NONE, ())
    is_sure = len(alike) == 1 and alike[0][1] is Likeness.SAME
    return BulkSearch(SearchResult.FOUND if is_sure else SearchResult.SEVERAL, bulks)


def _same_sender(one: str | None, other: str) -> bool:
    return one is not None and _digits(one) == _digits(other)


def _digits(number: str) -> str:
    return number.strip().removeprefix("+")


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
