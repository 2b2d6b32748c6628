"""Reads the retention policy, `retention.toml`: which messages go, from where, and after how long.

    dispute_days = 60            # an open month's messages stay so long

    [[rule]]
    name = "one-time passwords"
    target = "provider"          # or "landing"
    older_than = "90d"
    sender_id = ["LOGIN"]        # also service, key_id, delivery_status
    require_closed = true

A rule that could be read in two ways is refused, with the line it stands in: what is deleted is gone.
"""

import hashlib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from sms_etl.errors import PolicyInvalid
from sms_etl.plain_text import printable

POLICY_FILE = "retention.toml"
DISPUTE_DAYS = 60
"""How long a message of a month that is not closed is kept as evidence, unless the policy says otherwise."""
KNOWN_SERVICES = ("direct", "economy", "pro", "text2speech", "text2speech_ssml")
STATUSES = (
    *("queued", "scheduled", "sent", "buffered", "delivered"),
    *("expired", "rejected", "failed", "cancelled", "unknown"),
)
_MOST_DAYS = 36_500
_LONGEST_NAME = 100
_AGE = re.compile(r"(\d{1,6})\s*(d|w)")
_DAYS_IN = {"d": 1, "w": 7}
_RULE_HEADER = re.compile(r"\s*\[\[\s*\"?rule\"?\s*\]\]")
_LEAST_RULE = '[[rule]] with name = "…", target = "provider" and older_than = "90d"'


class Target(StrEnum):
    """Where a rule deletes."""

    PROVIDER = "provider"
    """The message itself, at LOX24."""
    LANDING = "landing"
    """Landed files all of whose rows a rule releases."""


_REFUSED_TARGETS = {
    "provider_text": "LOX24's API can delete a message and not only its text, and of 2SMS no messages are "
    'known here; use target = "provider"',
    "warehouse": "closed months, marts and corrections are checked against the rows of the warehouse; under "
    "SMS_ETL_PII=pseudonymise they hold no number and no text, and `sms-etl erase` blanks a person's",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; lists are conditions that must all be met, None: no condition."""

    name: str
    target: Target
    older_than: timedelta
    """Counted from `created_at`."""
    service: tuple[str, ...] | None = None
    sender_id: tuple[str, ...] | None = None
    key_id: tuple[int, ...] | None = None
    delivery_status: tuple[str, ...] | None = None
    require_closed: bool = False
    """The month must be closed, however old the message is."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, in the order in which they are tried: the first one that hits a message counts."""

    rules: tuple[Rule, ...] = ()
    dispute_days: int = DISPUTE_DAYS

    @property
    def digest(self) -> str:
        """SHA-256 of what the policy says, 64 hex digits; comments and layout do not count."""
        plain = {"dispute_days": self.dispute_days, "rules": [_plain(rule) for rule in self.rules]}
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def read_policy(path: Path, *, more_services: Collection[str] = ()) -> Policy:
    """Read the policy; a file that is not there, or is empty, has no rules.

    Args:
        path: Of the file.
        more_services: Services beside the documented ones that messages were sent by.

    Raises:
        PolicyInvalid: It cannot be read, or says what cannot be done; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return Policy()
    except UnicodeDecodeError as exc:
        raise PolicyInvalid(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.") from exc
    except OSError as exc:
        raise PolicyInvalid(
            f"{path} cannot be read: {exc.strerror}.", hint="Make it a file that may be read."
        ) from exc
    return parse_policy(text, path.name, more_services=more_services)


def parse_policy(text: str, name: str = POLICY_FILE, *, more_services: Collection[str] = ()) -> Policy:
    """Read the policy from its text; see `read_policy`. Pure."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise PolicyInvalid(
            f"{name} is not valid TOML: {printable(str(exc))}.", hint="docs/retention.md has an example."
        ) from exc
    return _Reader(text, name, tuple(dict.fromkeys((*KNOWN_SERVICES, *more_services)))).policy(given)


class _Reader:
    """Reads one file's values, and knows the lines they stand in."""

    def __init__(self, text: str, name: str, services: Collection[str]) -> None:
        self._lines = text.splitlines()
        self._name = name
        self._services = services
        self._rule: int | None = None
        """The rule that is read, counted from 0; None: what stands above the rules."""

    def policy(self, given: Mapping[str, Any]) -> Policy:
        self._know(given, ("dispute_days", "rule"))
        rules = given.get("rule", [])
        if not isinstance(rules, list) or not all(isinstance(each, dict) for each in rules):
            raise self._wrong("rule", f"rules begin with a line [[rule]], such as {_LEAST_RULE}")
        dispute_days = given.get("dispute_days", DISPUTE_DAYS)
        if type(dispute_days) is not int or not 0 <= dispute_days <= _MOST_DAYS:
            raise self._wrong("dispute_days", f"dispute_days must be days from 0 to {_MOST_DAYS}")
        read: list[Rule] = []
        for self._rule, each in enumerate(rules):
            rule = self.rule(each)
            if rule.name in {other.name for other in read}:
                raise self._wrong("name", f"two rules have the name {printable(rule.name)!r}")
            read.append(rule)
        return Policy(tuple(read), dispute_days)

    def rule(self, given: Mapping[str, Any]) -> Rule:
        self._know(given, Rule.__slots__)
        for needed in ("name", "target", "older_than"):
            if needed not in given:
                raise self._wrong(None, f"the rule has no {needed}; give {_LEAST_RULE}")
        require_closed = given.get("require_closed", False)
        if not isinstance(require_closed, bool):
            raise self._wrong("require_closed", "require_closed must be true or false")
        return Rule(
            name=self._rule_name(given["name"]),
            target=self._target(given["target"]),
            older_than=self._age(given["older_than"]),
            service=self._list(given, "service", str, self._services),
            sender_id=self._list(given, "sender_id", str),
            key_id=self._list(given, "key_id", int),
            delivery_status=self._list(given, "delivery_status", str, STATUSES),
            require_closed=require_closed,
        )

    def _rule_name(self, name: object) -> str:
        if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
            raise self._wrong("name", f"name must be a text of 1 to {_LONGEST_NAME} characters")
        if printable(name) != name:
            raise self._wrong("name", "name must be of one line, without control characters")
        return name.strip()

    def _target(self, target: object) -> Target:
        if isinstance(target, str) and target in _REFUSED_TARGETS:
            raise self._wrong("target", f"the target {target} is not offered: {_REFUSED_TARGETS[target]}")
        known = [each.value for each in Target]
        if not isinstance(target, str) or target not in known:
            raise self._wrong("target", f"target must be one of {_listed(known)}{_near(target, known)}")
        return Target(target)

    def _age(self, age: object) -> timedelta:
        found = _AGE.fullmatch(age.strip()) if isinstance(age, str) else None
        days = int(found[1]) * _DAYS_IN[found[2]] if found else 0
        if not 1 <= days <= _MOST_DAYS:
            raise self._wrong(
                "older_than", 'older_than must be days or weeks such as "90d" or "12w", at least "1d"'
            )
        return timedelta(days=days)

    def _list(
        self,
        given: Mapping[str, Any],
        key: str,
        kind: type[str] | type[int],
        known: Collection[str] | None = None,
    ) -> tuple[Any, ...] | None:
        if key not in given:
            return None
        values = given[key]
        if not isinstance(values, list) or not values or not all(type(each) is kind for each in values):
            what = "whole numbers" if kind is int else "texts"
            raise self._wrong(key, f"{key} must be a list of {what}, with at least one")
        if "" in values:
            raise self._wrong(key, f"{key} must not hold an empty text")
        for each in values:
            if known is not None and each not in known:
                raise self._wrong(
                    key, f"{key} holds what is none; known are {_listed(known)}{_near(each, known)}"
                )
        return tuple(values)

    def _know(self, given: Mapping[str, Any], known: Collection[str]) -> None:
        for key in given:
            if key not in known:
                raise self._wrong(key, f"{printable(key)} is not known here{_near(key, known)}")

    def _wrong(self, key: str | None, says: str) -> PolicyInvalid:
        line = self._line_of(key)
        where = f"{self._name}, line {line}" if line else self._name
        return PolicyInvalid(
            f"{where}: {says}{'' if says.endswith('?') else '.'}",
            hint="Correct it; docs/retention.md has an example. Nothing was changed.",
        )

    def _line_of(self, key: str | None) -> int | None:
        """Return the line of a key of the rule that is read, or else of its header."""
        headers = [number for number, line in enumerate(self._lines, 1) if _RULE_HEADER.match(line)]
        if self._rule is None:
            first, last = 0, headers[0] - 1 if headers else len(self._lines)
        elif self._rule < len(headers):
            first = headers[self._rule]
            last = headers[self._rule + 1] - 1 if self._rule + 1 < len(headers) else len(self._lines)
        else:
            return None
        if key is not None:
            assigned = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=|\s*\[+\s*{re.escape(key)}\b")
            for number in range(first, last):
                if assigned.match(self._lines[number]):
                    return number + 1
        return first or None


def _near(value: object, known: Collection[str]) -> str:
    near = get_close_matches(str(value), sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _listed(values: Collection[str]) -> str:
    return ", ".join(printable(each) for each in values)


def _plain(rule: Rule) -> dict[str, Any]:
    return {**asdict(rule), "older_than": rule.older_than.days}
