"""Which messages are to be deleted or cancelled: a closed set of UUIDs that is never empty. Pure.

What the provider does with a batch call without a filter is not documented; it may take every message of the
account. So the query of such a call is built here only, from a set that cannot be empty, and is held against
that set once more as it goes out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self, final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

MOST_IDS = 50
"""In one request; how long an address may be is not documented. 50 make one of 2,400 characters."""
_FILTER = "uuid[]"
_BATCHES = "/ops/"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COLLECTIONS = (list, tuple, set, frozenset)


@final
@dataclass(frozen=True, slots=True, init=False)
class MessageIds:
    """One to fifty different UUIDs of messages.

    Args:
        uuids: A list, tuple or set of `UUID` objects; kept as a tuple.

    Raises:
        TypeError: It is something else, or holds something else: texts are not taken for UUIDs.
        ValueError: There is none, there are too many, or one is there twice.
    """

    uuids: tuple[UUID, ...]

    def __init__(self, uuids: list[UUID] | tuple[UUID, ...] | set[UUID] | frozenset[UUID]) -> None:
        if not isinstance(uuids, _COLLECTIONS):
            raise TypeError(f"give a list, tuple or set of UUIDs, not {type(uuids).__name__}")
        given = tuple(uuids)
        for uuid in given:
            if type(uuid) is not UUID:
                raise TypeError(f"give UUIDs, not {type(uuid).__name__}; UUID(text) reads one")
        if not given:
            raise ValueError("give at least one UUID: a call for none might take every message there is")
        if len(given) > MOST_IDS:
            raise ValueError(f"give at most {MOST_IDS} UUIDs at once, not {len(given)}")
        if len(set(given)) != len(given):
            raise ValueError("a UUID is there twice")
        object.__setattr__(self, "uuids", given)

    def __init_subclass__(cls) -> None:
        """Refuse subclasses: one might be empty."""
        raise TypeError("MessageIds has no subclasses")

    def __len__(self) -> int:
        """Return how many there are; at least 1."""
        return len(self.uuids)

    def __iter__(self) -> Iterator[UUID]:
        """Yield each."""
        return iter(self.uuids)

    @classmethod
    def batches(cls, uuids: Iterable[UUID], size: int = MOST_IDS) -> Iterator[Self]:
        """Yield any number of UUIDs in sets of at most `size`, in their order and without doubles.

        None at all yields nothing.
        """
        if not 1 <= size <= MOST_IDS:
            raise ValueError(f"a batch has 1 to {MOST_IDS} UUIDs, not {size}")
        distinct = list(dict.fromkeys(uuids))
        for start in range(0, len(distinct), size):
            yield cls(tuple(distinct[start : start + size]))

    def query(self) -> tuple[tuple[str, str], ...]:
        """Return the filter that chooses these messages, and no others."""
        return tuple((_FILTER, str(uuid)) for uuid in self.uuids)


def is_batch(path: str) -> bool:
    """Whether a path is that of a call that changes every message its query chooses."""
    return _BATCHES in path.lower()


def assert_chooses(ids: MessageIds | None, target: str) -> None:
    """Hold the target of a batch call, as it goes out, against the messages it is meant for.

    Args:
        ids: The messages.
        target: Path and query, percent-encoded.

    Raises:
        AssertionError: It does not choose these messages and nothing else; it is not to be sent.
    """
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    is_filtered = bool(pairs) and all(name == _FILTER and _UUID.fullmatch(value) for name, value in pairs)
    if type(ids) is not MessageIds or len(pairs) != len(ids) or not is_filtered:
        raise AssertionError("a batch call that does not name its messages, and only them, is never sent")
    if {value for _, value in pairs} != {str(uuid) for uuid in ids}:
        raise AssertionError("a batch call that names other messages than it is meant for is never sent")
