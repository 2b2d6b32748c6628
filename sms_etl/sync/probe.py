"""Asks the provider a handful of questions whose answers tell how its listings are to be read.

Once an account, at the first sync that sees a message; again after a run met what the facts rule out, and
once a day while a slower way is taken. Six requests, two for bulks, and nothing is loaded.
"""

import itertools
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from sms_etl.clock import to_unix
from sms_etl.errors import AccountNotActive, BadAnswer, BadRequest, NotFound, Unavailable
from sms_etl.providers.lox24.client import Answer, Lox24Client
from sms_etl.providers.lox24.paging import Page, lone_row, read_page, uuids_query
from sms_etl.providers.lox24.salvage import Salvage
from sms_etl.sync.landing.files import new_window_id
from sms_etl.sync.pages import Question, Reader, identified, is_uuid, together
from sms_etl.sync.plan import Span
from sms_etl.sync.provider_facts import (
    BULKS_UUID_FILTER,
    SMS_UUID_FILTER,
    UNKNOWN,
    Fact,
    ProviderFacts,
    differs,
    fact,
)
from sms_etl.sync.streams import BULKS, SMS, Stream

_NOT_FOUND = "not found"
_MOST_PAGES = 2**31 - 1
"""That a page number may be."""
_MOST_BACKWARDS = 0.2
"""Pairs of neighbours in the wrong order: the time of a row may be wrong."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found."""

    facts: tuple[Fact, ...] = ()
    """Empty if the account holds no message: then there is nothing to ask about."""
    sample: Sequence[msgspec.Raw] = ()
    """The messages that were asked about."""


async def probe(client: Lox24Client, *, start: datetime | None, now: datetime) -> Probed:
    """Find out how the provider's listings are to be read.

    Args:
        client: Of the account.
        start: Nothing before it is asked for; None: from the first message.
        now: Nothing after it is asked for.

    Raises:
        ProviderDiffers: There is no way to read this provider completely.
        ProviderError: See its subclasses.
    """
    messages = _Probe.of(client, SMS, start, now)
    first = await messages.first_page()
    if not first.rows:
        return Probed()
    # Each depends on the first page only: at once they take as long as the slowest.
    answered = await together(
        _named("bounds", messages.bounds(first)),
        messages.totals(first),
        _named(SMS_UUID_FILTER, messages.uuid_filter(first)),
    )
    facts = (
        fact("key_prefix", "hydra:" if first.has_prefix else "none"),
        fact("order", messages.order(first)),
        *itertools.chain.from_iterable(answered),
    )
    return Probed(facts, first.rows)


async def _named(name: str, answer: Awaitable[str]) -> list[Fact]:
    return [fact(name, await answer)]


async def probe_bulks(client: Lox24Client, *, start: datetime | None, now: datetime) -> Fact:
    """Find out how bulks can be asked for; ask it after messages are read, as the key may not read bulks.

    Args:
        client: Of the account.
        start: Nothing before it is asked for; None: from the first bulk.
        now: Nothing after it is asked for.

    Raises:
        ProviderError: The provider cannot be reached, or knows the token no more.
    """
    bulks = _Probe.of(client, BULKS, start, now)
    try:
        return fact(BULKS_UUID_FILTER, await bulks.uuid_filter(await bulks.first_page()))
    except AccountNotActive:
        return fact(BULKS_UUID_FILTER, "forbidden")
    except (BadRequest, NotFound, Unavailable, BadAnswer):
        return fact(BULKS_UUID_FILTER, UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Probe:
    """Questions about one listing."""

    client: Lox24Client
    reader: Reader
    window_id: UUID
    span: Span

    @classmethod
    def of(cls, client: Lox24Client, stream: Stream, start: datetime | None, now: datetime) -> "_Probe":
        last = to_unix(now)
        span = Span(min(to_unix(start), last) if start else 0, last)
        return cls(client, Reader(client, stream), new_window_id(), span)

    @property
    def stream(self) -> Stream:
        return self.reader.stream

    async def first_page(self) -> Page:
        return await self.reader.page(Question(self.span), self.window_id)

    def order(self, first: Page) -> str:
        """Return whether rows come oldest first."""
        seconds = self.reader.seconds_on(first, self.span)
        if len(set(seconds)) < 2:
            return UNKNOWN
        pairs = list(itertools.pairwise(seconds))
        backwards = sum(earlier > later for earlier, later in pairs)
        return "obeyed" if backwards <= len(pairs) * _MOST_BACKWARDS else "ignored"

    async def bounds(self, first: Page) -> str:
        """Return whether a span that begins and ends with a row's second holds that row."""
        known = {
            second: uuid
            for keys in first.keys
            if is_uuid(keys)
            and (uuid := keys.uuid) is not None
            and (second := self.reader.second_of(keys)) is not None
            and self.span.holds(second)
        }
        seconds = sorted(known)
        middle, last = (len(seconds) - 1) // 2, len(seconds) - 1
        asked = list(dict.fromkeys(seconds[place] for place in (middle, 0, last) if seconds))
        found = UNKNOWN
        for second in asked:  # more than one: the time of a row may be wrong
            found = await self._bounds_at(second, known[second])
            if found in {"inclusive", "exclusive"}:
                return found
        if found == _NOT_FOUND and len(asked) > 1:
            raise differs(
                f"LOX24 does not obey the filter {self.stream.cursor} on {self.stream.path}: "
                "a message is not found by the second it was created in."
            )
        return UNKNOWN

    async def _bounds_at(self, second: int, uuid: str) -> str:
        exactly = Question(Span(second, second))
        if (await self.reader.page(exactly, self.window_id)).rows:
            return "inclusive"
        wider = Reader(self.client, self.stream, ProviderFacts(are_bounds_inclusive=False))
        found = await wider.page(exactly, self.window_id)
        if second in {self.reader.second_of(keys) for keys in found.keys}:
            return "exclusive"
        return UNKNOWN if await self._is_gone(uuid) else _NOT_FOUND

    async def totals(self, first: Page) -> list[Fact]:
        """Tell what totals are worth, and how many rows a page holds."""
        if first.total is None:
            return [fact("totals", "missing")]
        last = max(1, -(-first.total // len(first.rows)))
        size = fact("page_size", len(first.rows) if last > 1 else UNKNOWN)
        if last >= _MOST_PAGES:
            return [fact("totals", "wrong"), size]
        whole = Question(self.span)
        numbers = (last + 1,) if last == 1 else (last + 1, last)
        behind, *before = await together(
            *(self.reader.beyond(whole, self.window_id, number) for number in numbers)
        )
        ending = before[0] if before else first
        if behind.total not in {None, first.total} or ending.total not in {None, first.total}:
            return [fact("totals", UNKNOWN), size]  # it grew meanwhile
        if not ending.rows:
            return [fact("totals", "wrong"), size]
        is_answered_again = {row for row, _ in identified(behind)} == {row for row, _ in identified(ending)}
        if not behind.rows or is_answered_again:
            return [fact("totals", "exact"), size]
        return [fact("totals", "capped"), fact("total_cap", first.total), size]

    async def uuid_filter(self, first: Page) -> str:
        """Return whether rows can be asked for by a list of uuids."""
        known = [keys.uuid.lower() for keys in first.keys if keys.uuid is not None and is_uuid(keys)]
        asked = list(dict.fromkeys([*known[:1], *known[-1:]]))
        if not asked:
            return UNKNOWN
        try:
            answered = await self.client.get(
                self.stream.path,
                uuids_query(asked, 1),
                read_page,
                window_id=self.window_id,
                piecewise=Salvage,
            )
        except BadRequest:
            return "rejected"
        rows = {row for row, _ in identified(answered) if isinstance(row, str)}
        if not rows <= set(asked):
            return "ignored"
        for uuid in asked:
            if uuid not in rows and not await self._is_gone(uuid):
                return "ignored"  # only the last of a list counts, say
        return "obeyed" if len(known) > len(asked) else UNKNOWN

    async def _is_gone(self, uuid: str) -> bool:
        try:
            await self.client.get(
                f"{self.stream.path}/{uuid}", (), _ignore, window_id=self.window_id, piecewise=lone_row
            )
        except NotFound:
            return True
        return False


def _ignore(answer: Answer) -> None:
    """Read nothing of an answer: that there is one is enough."""
