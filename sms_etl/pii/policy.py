"""What is kept of numbers, texts and other personal fields, decided before anything touches the disk.

Under `pseudonymise` a number becomes a keyed hash and a masked form and a text only features; the key stays
in the data directory (`pii/key.py`), so that the same number always gives the same hash. Under `keep` both
are stored too. Each column, its safe default and the reason: docs/personal-data.md.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from sms_etl.pii import characters
from sms_etl.pii.phone_numbers import NotAPhoneNumberError, normalised
from sms_etl.pii.redaction import is_code, is_sender_name, network_of
from sms_etl.sms_parts import count_parts

_SHA256_BLOCK = 64
_HASH_DIGITS = 32
"""128 bits: two of ten billion numbers share a hash with a chance of 1 in 10^19."""
_MARK_DIGITS = 8
MARK = "~"
"""Stands between a mask and the digits of its hash."""
RANGE_DIGITS = 3
ALPHABETS_END = 0x0530
"""Below it lie the Latin, Greek and Cyrillic alphabets."""
CAPITALS = "".join(chr(code) for code in range(ALPHABETS_END) if chr(code).isupper())
_VARIABLE_WORDS = re.compile(rf"\d+|(?<![^\W\d_])[^\W\d_]*[{CAPITALS}][^\W\d_]*")
"""Digits, and runs of letters with a capital in them: `XK7P2Q` leaves nothing."""
_CACHE = 4096
"""A bulk sends one text thousands of times."""

PhoneFields = Mapping[str, str | None]
TextFields = Mapping[str, str | int | None]

_NO_PHONE: PhoneFields = {"phone_hash": None, "phone_masked": None, "phone_range": None, "phone": None}
_NO_FEATURES: TextFields = {
    "text_units": None,
    "text_parts": None,
    "text_non_gsm": None,
    "text_template": None,
}


class PiiPolicy(StrEnum):
    """What is stored of phone numbers and texts."""

    PSEUDONYMISE = "pseudonymise"
    KEEP = "keep"


class Treatment(StrEnum):
    """What becomes of the values of a column."""

    KEEP = "keep"
    MASK = "mask"
    """Only what identifies nobody: the network of an address, two digits at either end of a number."""
    HASH = "hash"
    """A keyed hash: values can be told apart and joined, not read."""
    DROP = "drop"


Treatments = Mapping[str, Treatment]
DEFAULT_TREATMENTS: Treatments = {
    "ip": Treatment.MASK,
    "callback_data": Treatment.HASH,
    "sender_id": Treatment.MASK,
}
"""By column, under `pseudonymise`."""
CODE_COLUMNS = ("service_code", "voice_lang")
"""Hold codes of the provider; under `pseudonymise` what is none is hashed."""


class Pii:
    """The policy and its key.

    Args:
        policy: What is stored.
        key: Of the hashes.
        treatments: Of columns that are not treated as by default; only under `pseudonymise`.
        retired: The keys before it, oldest first. A hash is hashed again by each later key, as
            `sms-etl pii rotate` did to those that were stored.
    """

    def __init__(
        self,
        policy: PiiPolicy,
        key: bytes,
        treatments: Treatments | None = None,
        retired: Sequence[bytes] = (),
    ) -> None:
        self.policy = policy
        self.key = key
        self.retired = tuple(retired)
        self.treatments = {**DEFAULT_TREATMENTS, **(treatments or {})}
        links = [_keyed_hash(each) for each in (*self.retired, key)]
        self.hash_of = links[0] if len(links) == 1 else _chain(links, _HASH_DIGITS)
        """Gives the keyed hash of a text, 32 hex digits."""
        self.first_hash_of = links[0]
        """The same by the oldest key alone: for what is a part of a text that is hashed in its turn, since a
        hash within a hash cannot be hashed again by a new key."""
        self._mark_of = _chain(links, _MARK_DIGITS)
        self.phone_fields = lru_cache(_CACHE)(self._phone_fields)
        self._features = lru_cache(_CACHE)(self._text_features)
        self._treated = lru_cache(_CACHE)(self._of_column)

    def __reduce__(self) -> tuple[type["Pii"], tuple[PiiPolicy, bytes, Treatments, Sequence[bytes]]]:
        """Let another process make its own of the policy, the keys and the treatments."""
        return Pii, (self.policy, self.key, self.treatments, self.retired)

    def text_fields(
        self, text: str | None, *, is_unicode: bool | None, is_deleted: bool | None
    ) -> TextFields:
        """Return `text` and its features, all None once the provider has deleted the text."""
        if text is None or is_deleted:
            return {**_NO_FEATURES, "text": self._kept(text)}
        return self._features(text, is_unicode)

    def treated(self, column: str, value: str | None) -> str | None:
        """Return what is stored of a value in a column with a treatment, or in one of `CODE_COLUMNS`."""
        if self.is_kept or not value:
            return value
        return self._treated(column, value)

    def _of_column(self, column: str, value: str) -> str | None:
        if column in CODE_COLUMNS:
            return value if is_code(value) else self._marked(value)
        match self.treatments[column]:
            case Treatment.KEEP:
                return value
            case Treatment.HASH:
                return self.hash_of(value)
            case Treatment.DROP:
                return None
            case Treatment.MASK:
                return self._masked(column, value)

    def _masked(self, column: str, value: str) -> str | None:
        if column == "ip":
            return network_of(value)
        if column == "sender_id":
            return value if is_sender_name(value) else self._marked(value)
        return "*" * len(value)

    def _marked(self, value: str) -> str:
        """Mask a number or a text, and mark it with digits of its hash, so that two of them stay two."""
        try:
            number = normalised(value)
        except NotAPhoneNumberError:
            return f"{MARK}{self._mark_of(value)}"
        return f"{masked(number)}{MARK}{self._mark_of(number)}"

    @property
    def is_kept(self) -> bool:
        """Whether numbers and texts are stored as they came."""
        return self.policy is PiiPolicy.KEEP

    def _kept(self, value: str | None) -> str | None:
        return value if self.is_kept else None

    def _phone_fields(self, phone: str | None) -> PhoneFields:
        """Return `phone_hash`, `phone_masked`, `phone_range` and `phone` of a number, however it is written.

        Raises:
            NotAPhoneNumberError: It is none.
        """
        if not phone:
            return _NO_PHONE
        number = normalised(phone)
        return {
            "phone_hash": self.hash_of(number),
            "phone_masked": masked(number),
            "phone_range": self.hash_of(number[:-RANGE_DIGITS]),
            "phone": self._kept(phone),
        }

    def _text_features(self, text: str, is_unicode: bool | None) -> TextFields:
        count = count_parts(text, is_unicode=is_unicode)
        return {
            "text_units": count.units,
            "text_parts": count.parts,
            "text_non_gsm": characters.told(count.non_gsm),
            "text_template": self.hash_of(blanked(text)),
            "text": self._kept(text),
        }


def masked(number: str) -> str:
    """Mask a normalised number but for its first two and last two digits; a short one wholly."""
    if len(number) < 9:
        return "+" + "*" * (len(number) - 1)
    return number[:3] + "*" * (len(number) - 5) + number[-2:]


def blanked(text: str) -> str:
    """Return the template of a text: without digits and capitalised words."""
    return _VARIABLE_WORDS.sub("", text)


def rehashing(key: bytes) -> Callable[[str], str]:
    """Return what makes of a stored hash, or of what a mask ends in, that of the key after its own."""
    link = _keyed_hash(key)

    def rehashed(stored: str) -> str:
        kept, mark, digits = stored.rpartition(MARK)
        return f"{kept}{mark}{link(digits)[: len(digits)]}"

    return rehashed


def _chain(links: Sequence[Callable[[str], str]], digits: int) -> Callable[[str], str]:
    """Hash by the first key, and the hash, cut to so many digits, by each later one."""

    def hash_of(value: str) -> str:
        for link in links:
            value = link(value)[:digits]
        return value

    return hash_of


def _keyed_hash(key: bytes) -> Callable[[str], str]:
    """Begin HMAC-SHA-256 (RFC 2104) once: copies of the two states take a third of `hmac.digest`'s time."""
    block = (sha256(key).digest() if len(key) > _SHA256_BLOCK else key).ljust(_SHA256_BLOCK, b"\0")
    inner_of_key = sha256(bytes(byte ^ 0x36 for byte in block))
    outer_of_key = sha256(bytes(byte ^ 0x5C for byte in block))

    def hash_of(value: str) -> str:
        inner, outer = inner_of_key.copy(), outer_of_key.copy()
        inner.update(value.encode())
        outer.update(inner.digest())
        return outer.hexdigest()[:_HASH_DIGITS]

    return hash_of
