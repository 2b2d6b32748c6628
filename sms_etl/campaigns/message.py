"""What a campaign says: the checks the provider makes of sender and text, and how the text is sent. Pure."""

import re
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sms_etl.errors import CampaignRefused
from sms_etl.sms_parts import count_parts

LONGEST_TEXT = 1785
"""Characters, as the provider documents for `POST /bulks`."""
VOICE_SERVICES = frozenset({"text2speech", "text2speech_ssml"})
SERVICES = ("direct", "economy", "pro")
"""What sends text messages, as the provider documents; voice is charged by the call and has no parts."""
_NAME = re.compile(r"[A-Za-z0-9 ]{1,11}")
_NUMBER = re.compile(r"\+?[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True)
class ForeignCharacter:
    """A character outside GSM 03.38, which makes the whole text Unicode."""

    character: str
    code: str
    """Such as `U+201C`."""
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """How a text is sent."""

    encoding: str
    """`gsm7` or `ucs2`, as in marts.fct_sms."""
    characters: int
    units: int
    """Septets, or UTF-16 code units."""
    parts: int
    """A message's parts: what is charged."""
    foreign: tuple[ForeignCharacter, ...]
    """Why it is Unicode; empty if it is not."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**asdict(self), "foreign": [asdict(each) for each in self.foreign]}


def check_sender(sender: str) -> str:
    """Return a sender as it is sent: without blanks around it.

    Raises:
        CampaignRefused: It is neither a number nor a name the provider takes.
    """
    name = sender.strip()
    if not (_NAME.fullmatch(name) or _NUMBER.fullmatch(name)):
        raise CampaignRefused(
            "--sender is neither a number nor a name of at most 11 letters, digits and blanks.",
            hint="Umlauts and signs are not possible in a name; a number has at most 15 digits.",
        )
    return name


def check_text(text: str) -> str:
    """Return a text as it is sent.

    Raises:
        CampaignRefused: It is empty, or longer than the provider takes.
    """
    if not text.strip():
        raise CampaignRefused("--text is empty.", hint="Give the text of the message.")
    if len(text) > LONGEST_TEXT:
        raise CampaignRefused(
            f"--text has {len(text):,} characters; the provider takes {LONGEST_TEXT:,}.", hint="Shorten it."
        )
    if any(0xD800 <= ord(each) <= 0xDFFF for each in text):  # bytes of the command line that are no UTF-8
        raise CampaignRefused("--text holds what is no character.", hint="Check the terminal's encoding.")
    return text


def preview_of(text: str) -> Preview:
    """Return how a text is sent: its encoding, what forces it, and its parts."""
    count = count_parts(text)
    foreign = tuple(
        ForeignCharacter(each, f"U+{ord(each):04X}", unicodedata.name(each, "without a name"), times)
        for each, times in Counter(count.non_gsm).items()
    )
    return Preview("gsm7" if count.is_gsm else "ucs2", len(text), count.units, count.parts, foreign)


def moment_of(text: str, zone: ZoneInfo) -> datetime:
    """Read when a campaign is to be sent; a time without an offset is one of `zone`.

    Raises:
        CampaignRefused: It is no time, one that the clocks leave out, or one that comes twice.
    """
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        read = None
    if read is None or "T" not in text.strip().upper().replace(" ", "T"):
        raise CampaignRefused(
            f"--at: {text!r} is no time.", hint="Write 2026-01-31T08:00 or 2026-01-31T08:00:00+01:00."
        )
    if read.tzinfo is not None:
        return read.replace(microsecond=0)
    early, late = (read.replace(tzinfo=zone, fold=fold, microsecond=0) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise CampaignRefused(
            f"--at: the clocks of {zone.key} change then: that time comes twice, or not at all.",
            hint=f"Give the offset too, such as {early.isoformat()}.",
        )
    return early
