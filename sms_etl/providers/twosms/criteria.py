"""Which messages 2SMS is to expire or delete: a closed choice that is never empty. Pure.

A call without criteria takes every message that has expired or was read as often as allowed. So the body of a
call is made here only, from criteria that cannot be empty, and is held against them once more as it goes out.
Of the enumerations `Range` and `Type` one value each is documented: `Range` is never sent, `Type` is 0 (BOTH)
or not sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeAlias, final
from uuid import UUID

import msgspec

MOST_IDS = 50
"""In one call; how many the provider takes is not documented."""
MOST_OF_A_REASON = 200
_SECOND = timedelta(seconds=1)
_BOTH = 0
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_GUID = "00000000-0000-0000-0000-000000000000"
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_BY_IDS = frozenset({"MessageIDs"})
_BY_DESTINATION = frozenset({"Destination", "StartDate", "FinishDate", "Type"})
_SAID_BESIDE = frozenset({"Delete", "NotifyRecipients", "Reason"})


@final
@dataclass(frozen=True, slots=True, init=False)
class ByMessageIds:
    """One to fifty different messages by their ids.

    Args:
        first: Id of a message.
        rest: Ids of further ones.

    Raises:
        TypeError: There is none, or one is no `UUID`: texts are not taken for UUIDs.
        ValueError: There are too many, one is there twice, or one is the UUID of zeros, which means none.
    """

    ids: tuple[UUID, ...]

    def __init__(self, first: UUID, /, *rest: UUID) -> None:
        ids = (first, *rest)
        for each in ids:
            if type(each) is not UUID:
                raise TypeError(f"give UUIDs, not {type(each).__name__}; UUID(text) reads one")
            if not each.int:
                raise ValueError("the UUID of zeros names no message")
        if len(ids) > MOST_IDS:
            raise ValueError(f"give at most {MOST_IDS} UUIDs at once, not {len(ids)}")
        if len(set(ids)) != len(ids):
            raise ValueError("a UUID is there twice")
        object.__setattr__(self, "ids", ids)

    def __init_subclass__(cls) -> None:
        """Refuse subclasses: one might be empty."""
        raise TypeError("ByMessageIds has no subclasses")

    def __len__(self) -> int:
        """Return how many there are; at least 1."""
        return len(self.ids)

    @classmethod
    def batches(cls, ids: Iterable[UUID], size: int = MOST_IDS) -> Iterator[Self]:
        """Yield any number of UUIDs in criteria of at most `size`, in their order and without doubles.

        None at all yields nothing.
        """
        if not 1 <= size <= MOST_IDS:
            raise ValueError(f"a batch has 1 to {MOST_IDS} UUIDs, not {size}")
        distinct = list(dict.fromkeys(ids))
        for start in range(0, len(distinct), size):
            yield cls(*distinct[start : start + size])


@final
@dataclass(frozen=True, slots=True)
class ByDestination:
    """The messages to one number within a span of time.

    Args:
        destination: In E.164: `+` and digits.
        start: With a time zone; a fraction of a second is rounded up: never more is taken than was asked for.
        finish: Later than `start`, both rounded; a fraction is rounded down.

    Raises:
        TypeError: A value is of another type.
        ValueError: No number in E.164, a time without a zone, or no second between the two. The message does
            not hold the number.
    """

    destination: str = field(repr=False)
    start: datetime
    finish: datetime

    def __post_init__(self) -> None:
        """Check what was given."""
        if type(self.destination) is not str:
            raise TypeError(f"give the destination as a text, not {type(self.destination).__name__}")
        if not _E164.fullmatch(self.destination):
            raise ValueError("give the destination in E.164, such as +49 and 7 to 13 digits without blanks")
        for name in ("start", "finish"):
            moment = getattr(self, name)
            if not isinstance(moment, datetime):
                raise TypeError(f"give {name} as a datetime, not {type(moment).__name__}")
            if moment.utcoffset() is None:
                raise ValueError(f"give {name} with a time zone")
        try:
            is_span = self.first_second < self.last_second
        except OverflowError:
            raise ValueError("give start and finish in the years 1 to 9999") from None
        if not is_span:
            raise ValueError("start must lie at least a second before finish")

    def __init_subclass__(cls) -> None:
        """Refuse subclasses: one might be empty."""
        raise TypeError("ByDestination has no subclasses")

    @property
    def first_second(self) -> datetime:
        """`start` in UTC, in whole seconds."""
        whole = self.start.astimezone(UTC).replace(microsecond=0)
        return whole if whole == self.start else whole + _SECOND

    @property
    def last_second(self) -> datetime:
        """`finish` in UTC, in whole seconds."""
        return self.finish.astimezone(UTC).replace(microsecond=0)


Criteria: TypeAlias = ByMessageIds | ByDestination


def body_of(criteria: Criteria, *, contents: bool, notify_recipients: bool, reason: str | None) -> bytes:
    """Return the body of a call, as JSON.

    Args:
        criteria: Which messages.
        contents: Whether contents are deleted too; otherwise advanced messages expire, and no more.
        notify_recipients: Whether recipients are told.
        reason: What to keep at the provider as the reason; it must not name anybody.

    Raises:
        TypeError: A value is of another type; nothing but the two kinds of criteria is taken.
        ValueError: The reason is blank, too long or not printable.
    """
    if type(contents) is not bool or type(notify_recipients) is not bool:
        raise TypeError("contents and notify_recipients must be True or False")
    fields: dict[str, Any] = {**_named(criteria), "Delete": contents}
    if notify_recipients:
        fields["NotifyRecipients"] = True
    if reason is not None:
        fields["Reason"] = _checked(reason)
    return msgspec.json.encode(fields)


def _named(criteria: Criteria) -> Mapping[str, Any]:
    if type(criteria) is ByMessageIds:
        return {"MessageIDs": [str(each) for each in criteria.ids]}
    if type(criteria) is ByDestination:
        return {
            "Destination": criteria.destination,
            "StartDate": _written(criteria.first_second),
            "FinishDate": _written(criteria.last_second),
            "Type": _BOTH,
        }
    raise TypeError(f"give ByMessageIds or ByDestination, not {type(criteria).__name__}")


def _written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _checked(reason: str) -> str:
    if type(reason) is not str:
        raise TypeError(f"give the reason as a text, not {type(reason).__name__}")
    if not reason.strip() or not reason.isprintable() or len(reason) > MOST_OF_A_REASON:
        raise ValueError(f"give a reason of 1 to {MOST_OF_A_REASON} printable characters, or None")
    return reason


def assert_chooses(criteria: Criteria, body: bytes) -> None:
    """Hold the body of a call, as it goes out, against the criteria it is meant for.

    Raises:
        AssertionError: It does not choose these messages and nothing else; it is not to be sent.
    """
    sent = msgspec.json.decode(body)
    names = frozenset(sent) - _SAID_BESIDE if isinstance(sent, dict) else frozenset()
    if type(criteria) is ByMessageIds and names == _BY_IDS:
        is_meant = _are_these(sent["MessageIDs"], criteria.ids)
    elif type(criteria) is ByDestination and names == _BY_DESTINATION:
        to, start, finish, kind = (sent[name] for name in ("Destination", "StartDate", "FinishDate", "Type"))
        is_meant = (
            to == criteria.destination
            and _is_like(_E164, to)
            and _is_like(_MOMENT, start)
            and _is_like(_MOMENT, finish)
            and start < finish
            and kind == _BOTH
        )
    else:
        is_meant = False
    if not is_meant:
        raise AssertionError("a deletion that does not name its messages, and only them, is never sent")


def _are_these(sent: Any, ids: tuple[UUID, ...]) -> bool:  # noqa: ANN401 - any JSON
    if not isinstance(sent, list) or not sent or len(sent) != len(ids):
        return False
    are_guids = all(_is_like(_GUID, each) for each in sent)
    return are_guids and _NO_GUID not in sent and set(sent) == {str(each) for each in ids}


def _is_like(pattern: re.Pattern[str], sent: object) -> bool:
    return isinstance(sent, str) and pattern.fullmatch(sent) is not None
