"""The messages and bulks of the account: what is visible at a moment, in pages, and every change to them.

Messages are held in order of `created_at`, so that a window of time is a slice; the matches of the last few
queries are kept, so that the pages of one query cost one search.
"""

import random
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, count
from typing import Any, Generic, TypeVar

import msgspec

from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.lifecycle import Bulk, Message
from sms_etl.sandbox.lox24.filters import BULKS, SMS, Field, Filter, Listing, Query
from sms_etl.sandbox.storage.statefile import StateFile

_QUERIES_KEPT = 16
Life = TypeVar("Life")


@dataclass(frozen=True, slots=True)
class Page(Generic[Life]):
    """One page of a listing, the number of all matches, and the number of the last page."""

    lives: Sequence[Life]
    total: int
    last: int


@dataclass(frozen=True, slots=True)
class _Charges:
    """What was charged, in order of time: the sum up to each moment."""

    times: list[int]
    sums: list[Decimal]

    def up_to(self, now: int) -> Decimal:
        position = bisect_right(self.times, now)
        return self.sums[position - 1] if position else Decimal(0)


class Store:
    """The lives of one account.

    Args:
        messages: Those that are not deleted, in any order.
        bulks: Those that are not deleted.
        deleted: Deleted messages: they show nowhere, but they were paid for.
        file: Where changes are kept; nowhere unless given.
    """

    def __init__(
        self,
        messages: Iterable[Message],
        bulks: Iterable[Bulk],
        *,
        deleted: Iterable[Message] = (),
        file: StateFile | None = None,
    ) -> None:
        self._messages = sorted(messages, key=_place)
        self._by_uuid = {message.uuid: message for message in self._messages}
        self._bulks = {bulk.uuid: bulk for bulk in sorted(bulks, key=_place)}
        self._deleted = list(deleted)
        self._file = file
        self._requests = count()
        self._matches: OrderedDict[Any, Sequence[Any]] = OrderedDict()
        self._charges: dict[str | None, _Charges] | None = None
        lives: list[Message | Bulk] = [*self._messages, *self._deleted, *self._bulks.values()]
        self._last_number = max((life.number for life in lives), default=0)

    def next_number(self) -> int:
        """Return a hidden number that was never given."""
        self._last_number += 1
        return self._last_number

    # Reading

    def all_messages(self) -> Sequence[Message]:
        """Return every message that is not deleted, future ones too, in order of `created_at`."""
        return self._messages

    def message(self, uuid: str, now: int, switches: SandboxSwitches) -> Message | None:
        """Return a message if it is visible."""
        message = self._by_uuid.get(uuid)
        return message if message and _is_visible(message, now, switches) else None

    def bulk(self, uuid: str, now: int) -> Bulk | None:
        """Return a bulk if it was created by now."""
        bulk = self._bulks.get(uuid)
        return bulk if bulk and bulk.created_at <= now else None

    def matching_messages(self, query: Query, now: int, switches: SandboxSwitches) -> Sequence[Message]:
        """Return every visible message that meets the filters, in the query's order."""
        orders = query.orders or (("created_at", switches.default_order == "desc"),)
        key = ("sms", query.filters, orders, now, switches)
        return self._kept(key, lambda: self._search_messages(query.filters, orders, now, switches))

    def message_page(self, query: Query, now: int, switches: SandboxSwitches) -> Page[Message]:
        """Return one page of messages."""
        matches = self.matching_messages(query, now, switches)
        page = _page(matches, query.page, switches.page_size)
        if not switches.shuffle_ties or not page.lives:
            return page
        field = query.orders[0][0] if query.orders else "created_at"
        shuffled = _with_shuffled_ties(
            matches,
            query.page,
            switches,
            lambda m: SMS.fields[field].value(m, now),
            seed=f"{query.page} {next(self._requests) if switches.shuffle_each_request else ''}",
        )
        return Page(shuffled, page.total, page.last)

    def matching_bulks(self, query: Query, now: int, switches: SandboxSwitches) -> Sequence[Bulk]:
        """Return every bulk created by now that meets the filters, in the query's order."""
        orders = query.orders or (("created_at", switches.default_order == "desc"),)
        created = [bulk for bulk in self._bulks.values() if bulk.created_at <= now]
        return _in_order(_meeting(created, query.filters, BULKS, now), orders, BULKS, now)

    def bulk_page(self, query: Query, now: int, switches: SandboxSwitches) -> Page[Bulk]:
        """Return one page of bulks."""
        return _page(self.matching_bulks(query, now, switches), query.page, switches.page_size)

    def _kept(self, key: Hashable, search: Callable[[], Sequence[Life]]) -> Sequence[Life]:
        if key in self._matches:
            self._matches.move_to_end(key)
        else:
            self._matches[key] = search()
            if len(self._matches) > _QUERIES_KEPT:
                self._matches.popitem(last=False)
        return self._matches[key]

    def _search_messages(
        self,
        filters: tuple[Filter, ...],
        orders: Sequence[tuple[str, bool]],
        now: int,
        switches: SandboxSwitches,
    ) -> Sequence[Message]:
        found = self._candidates(filters, now)
        if switches.visible_after_seconds or switches.keep_days:
            found = [message for message in found if _is_visible(message, now, switches)]
        others = tuple(condition for condition in filters if condition.field != "created_at")
        found = _meeting(found, others, SMS, now)
        return found if orders == (("created_at", False),) else _in_order(found, orders, SMS, now)

    def _candidates(self, filters: tuple[Filter, ...], now: int) -> Sequence[Message]:
        """Return what was created by now and meets the filters on `created_at`, oldest first."""
        uuids = next((c.values for c in filters if c.field == "uuid"), None)
        times = [condition for condition in filters if condition.field == "created_at"]
        if uuids is not None:
            known = sorted({u: self._by_uuid[u] for u in uuids if u in self._by_uuid}.values(), key=_place)
            return [m for m in known if m.created_at <= now and all(c.holds(m.created_at) for c in times)]
        start, end = 0, bisect_right(self._messages, now, key=_created_at)
        sets = []
        for condition in times:
            if condition.form == "in":
                sets.append(set(condition.values))
                continue
            low, high = self._bounds(condition)
            start, end = max(start, low), min(end, high)
        found = self._messages[start:end]
        return [m for m in found if all(m.created_at in times for times in sets)] if sets else found

    def _bounds(self, condition: Filter) -> tuple[int, int]:
        first, last = condition.values[0], condition.values[-1]
        before = bisect_left(self._messages, first, key=_created_at)
        after = bisect_right(self._messages, last, key=_created_at)
        return {
            "eq": (before, after),
            "between": (before, after),
            "lt": (0, before),
            "lte": (0, after),
            "gt": (after, len(self._messages)),
            "gte": (before, len(self._messages)),
        }[condition.form]

    # Money

    def spent(self, now: int) -> Decimal:
        """Return what all messages sent by now cost, deleted ones too."""
        return self._charged_to(None, now)

    def bulk_cost(self, bulk: Bulk, now: int) -> Decimal:
        """Return what a bulk's messages sent by now cost."""
        return self._charged_to(bulk.uuid, now)

    def last_charge_at(self, now: int) -> int:
        """Return when the balance last changed; 0 if it never did."""
        times = self._all_charges()[None].times
        position = bisect_right(times, now)
        return times[position - 1] if position else 0

    def _charged_to(self, bulk_id: str | None, now: int) -> Decimal:
        charges = self._all_charges().get(bulk_id)
        return charges.up_to(now) if charges else Decimal(0)

    def _all_charges(self) -> dict[str | None, _Charges]:
        if self._charges is None:
            charged: dict[str | None, list[tuple[int, Decimal]]] = {None: []}
            for message in (*self._messages, *self._deleted):
                sent_at = next((step.at for step in message.steps if step.is_sent), 0)
                if sent_at:
                    charge = (sent_at, Decimal(message.price))
                    charged[None].append(charge)
                    if message.bulk_id:
                        charged.setdefault(message.bulk_id, []).append(charge)
            self._charges = {to: _added_up(charges) for to, charges in charged.items()}
        return self._charges

    # Changing

    def put_messages(self, messages: Sequence[Message]) -> None:
        """Add messages, or put changed ones in the place of the old."""
        coming = {message.uuid for message in messages}
        self._messages = [message for message in self._messages if message.uuid not in coming]
        self._messages = sorted((*self._messages, *messages), key=_place)
        self._by_uuid.update((message.uuid, message) for message in messages)
        self._changed()
        if self._file:
            self._file.put(messages)

    def delete_messages(self, messages: Iterable[Message], now: int) -> None:
        """Delete messages for good: from now on nothing happens to them, they are not sent either."""
        going = {message.uuid: _ended(message, now) for message in messages}
        for message in going.values():
            del self._messages[bisect_left(self._messages, _place(message), key=_place)]
            del self._by_uuid[message.uuid]
        self._deleted.extend(going.values())
        self._changed()
        if self._file:
            self._file.put(going.values())
            self._file.mark_deleted(going.values())

    def put_bulk(self, bulk: Bulk) -> None:
        """Add a bulk, or put a changed one in the place of the old."""
        self._bulks[bulk.uuid] = bulk
        if self._file:
            self._file.put([bulk])

    def delete_bulk(self, bulk: Bulk) -> None:
        """Delete a bulk; its messages stay."""
        del self._bulks[bulk.uuid]
        if self._file:
            self._file.mark_deleted([bulk])

    def _changed(self) -> None:
        self._matches.clear()
        self._charges = None


def _created_at(message: Message) -> int:
    return message.created_at


def _place(life: Message | Bulk) -> tuple[int, int]:
    return life.created_at, life.number


def _ended(message: Message, now: int) -> Message:
    past = tuple(step for step in message.steps if step.at <= now) or message.steps[:1]
    return message if past == message.steps else msgspec.structs.replace(message, steps=past)


def _is_visible(message: Message, now: int, switches: SandboxSwitches) -> bool:
    is_late = message.number % switches.visible_late_every == 0
    visible_at = message.created_at + (switches.visible_after_seconds if is_late else 0)
    is_kept = not switches.keep_days or message.created_at > now - switches.keep_days * 86_400
    return visible_at <= now and is_kept


def _meeting(lives: Sequence[Life], filters: Sequence[Filter], listing: Listing, now: int) -> Sequence[Life]:
    for condition in filters:
        value = listing.fields[condition.field].value
        lives = [life for life in lives if condition.holds(value(life, now))]
    return lives


def _in_order(
    lives: Sequence[Life], orders: Sequence[tuple[str, bool]], listing: Listing, now: int
) -> Sequence[Life]:
    for name, is_descending in reversed(orders):
        lives = sorted(lives, key=_sort_key(listing.fields[name], now), reverse=is_descending)
    return lives


def _sort_key(field: Field, now: int) -> Callable[[object], int]:
    # A null sorts before every moment, as 0 does.
    return lambda life: field.value(life, now) or 0


def _page(matches: Sequence[Life], page: int, size: int) -> Page[Life]:
    return Page(matches[(page - 1) * size : page * size], len(matches), max(1, -(-len(matches) // size)))


def _with_shuffled_ties(
    matches: Sequence[Message],
    page: int,
    switches: SandboxSwitches,
    moment: Callable[[Message], Any],
    *,
    seed: str,
) -> Sequence[Message]:
    """Return the page as it is when rows of one second come in another order for each page."""
    start, end = (page - 1) * switches.page_size, min(page * switches.page_size, len(matches))
    low, high = start, end
    while low and moment(matches[low - 1]) == moment(matches[start]):
        low -= 1
    while high < len(matches) and moment(matches[high]) == moment(matches[end - 1]):
        high += 1
    shuffled: list[Message] = []
    group: list[Message] = []
    for message in matches[low:high]:
        if group and moment(message) != moment(group[0]):
            shuffled.extend(_shuffled(group, seed))
            group = []
        group.append(message)
    shuffled.extend(_shuffled(group, seed))
    return shuffled[start - low : end - low]


def _shuffled(group: Sequence[Message], seed: str) -> list[Message]:
    # Seeded by the page: asking again for a page gives the same order, another page another one.
    return random.Random(seed).sample(group, len(group))


def _added_up(charges: list[tuple[int, Decimal]]) -> _Charges:
    charges.sort()
    return _Charges([at for at, _ in charges], list(accumulate(cost for _, cost in charges)))
