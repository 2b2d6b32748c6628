"""The field tables of the providers' documentation, as data to hold an answer against.

One table per object, one `Field` per documented field, in this test's own words; nothing here knows the
sandbox's code. `deviations` names everything in an answer that its table does not allow.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

TIME_BASED_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
ANY_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NUMBER_OR_NAME = r"\+?[1-9][0-9]{0,14}|[A-Za-z0-9 ]{1,11}"
E164 = r"\+[1-9][0-9]{6,14}"

FINAL_STATUS = frozenset({208, 400, 410, 2000, 3000, 5000, 6000})
SMS_STATUS = FINAL_STATUS | {0, 100}
STOPPED_BEFORE_TRANSMISSION = frozenset({410, 6000})
FINAL_DLR = frozenset({1, 8, 16})
SMS_DLR = FINAL_DLR | {0, 2, 4}
VOICE_SERVICES = frozenset({"text2speech", "text2speech_ssml"})
SERVICES = VOICE_SERVICES | {"direct", "economy", "pro"}
BULK_NEW, BULK_IN_PROGRESS, BULK_DONE, BULK_CANCELLED = 0, 5, 10, 15
BULK_STATUS = frozenset({BULK_NEW, BULK_IN_PROGRESS, BULK_DONE, BULK_CANCELLED, 20, 201})
VOICE_LANGS = frozenset(
    [
        "EN",
        "DE",
        "FR",
        "IT",
        "ES",
        "PL",
        "NL",
        "RO",
        "PT",
        "CS",
        "HU",
        "SV",
        "DA",
        "FI",
        "SK",
        "HR",
        "TR",
        "RU",
        "BG",
        "UK",
    ]
)
REQUEST_ID = r"[A-Za-z0-9]{32}"
CALENDAR = range(1_000_000_000, 10_000_000_000)
"""Unix seconds, not milliseconds: the years 2001 to 2286."""

Rule = Callable[[Any], bool]


@dataclass(frozen=True)
class Field:
    """What the documentation says of one field: JSON types, whether it may be null or absent, its bounds."""

    types: tuple[type, ...]
    rule: Rule = lambda value: True
    nullable: bool = False
    optional: bool = False

    def allows(self, value: object) -> bool:
        """Say whether a value read from JSON is of this field; `True` is no int here."""
        if value is None:
            return self.nullable
        return type(value) in self.types and self.rule(value)


Table = Mapping[str, Field]


def matching(pattern: str) -> Rule:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def at_least(bound: int) -> Rule:
    return lambda value: bool(value >= bound)


def one_of(values: frozenset[Any]) -> Rule:
    return lambda value: value in values


def is_time(value: int) -> bool:
    return value in CALENDAR


def is_time_or_zero(value: int) -> bool:
    return value == 0 or is_time(value)


def is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def all_match(pattern: str) -> Rule:
    return lambda values: all(isinstance(value, str) and re.fullmatch(pattern, value) for value in values)


NUMBER = (int, Decimal)

SMS: Table = {
    "uuid": Field((str,), matching(TIME_BASED_UUID)),
    "text": Field((str,)),
    "sender_id": Field((str,), matching(NUMBER_OR_NAME)),
    "phone": Field((str,), matching(E164)),
    "delivery_at": Field((int,), is_time_or_zero),
    "status_code": Field((int,), one_of(SMS_STATUS)),
    "dlr_code": Field((int,), one_of(SMS_DLR)),
    "gateway_sent_at": Field((int,), is_time_or_zero),
    "created_at": Field((int,), is_time),
    "is_sent": Field((bool,)),
    "is_text_deleted": Field((bool,)),
    "is_unicode": Field((bool,), nullable=True),
    "iso2": Field((str,), matching(r"[A-Z]{2}"), nullable=True),
    "parts_count": Field((int,), at_least(1), nullable=True),
    "chars_count": Field((int,), at_least(0), nullable=True),
    "price": Field(NUMBER, at_least(0)),
    "service_code": Field((str,), one_of(SERVICES)),
    "voice_lang": Field((str,), one_of(VOICE_LANGS), nullable=True),
    "callback_data": Field((str,), matching(r"(?s).{1,36}"), nullable=True),
    "bulk_id": Field((str,), matching(ANY_UUID), nullable=True),
    "source": Field((int,), nullable=True),
    "key_id": Field((int,), at_least(1), nullable=True),
    "ip": Field((str,), is_ip),
    "requests": Field((str,), matching(rf"/sms/{TIME_BASED_UUID}/requests")),
    "clicks": Field((str,), matching(rf"/sms/{TIME_BASED_UUID}/clicks")),
    "attempts_count_max": Field((int,), one_of(frozenset({1, 2, 3})), nullable=True, optional=True),
}

LD_ROW: Table = {
    "@id": Field((str,), matching(rf"/(me|(sms|bulks)/{ANY_UUID})")),
    "@type": Field((str,), matching(r".+")),
}
LD_SINGLE: Table = {**LD_ROW, "@context": Field((str, dict), bool)}

BULK_ONLY_FULL = frozenset({"phones", "msg_groups", "sender_id", "text"})
BULK: Table = {
    "uuid": Field((str,), matching(ANY_UUID)),
    "ip": Field((str,), is_ip),
    "service_code": Field((str,), one_of(SERVICES)),
    "sender_id": Field((str,), matching(NUMBER_OR_NAME)),
    "text": Field((str,), lambda text: len(text) <= 1785),
    "phones": Field((list,), all_match(E164), nullable=True),
    "msg_groups": Field((list,), nullable=True),
    "status_code": Field((int,), one_of(BULK_STATUS)),
    "created_at": Field((int,), is_time),
    "delivery_at": Field((int,), is_time_or_zero),
    "processed_at": Field((int,), is_time, nullable=True),
    "msg_total_count": Field((int,), at_least(0)),
    "msg_total_cost": Field(NUMBER, at_least(0)),
    "is_unicode": Field((bool,), nullable=True),
    "is_dryrun": Field((bool,)),
    "is_text_deleted": Field((bool,)),
    "key_id": SMS["key_id"],
    "source": SMS["source"],
    "voice_lang": SMS["voice_lang"],
}
BULK_LISTED: Table = {name: field for name, field in BULK.items() if name not in BULK_ONLY_FULL}
"""What a listing, `/bulks/{id}/status` and the answer to `/bulks/{id}/cancel` show."""

ACCOUNT: Table = {
    "id": Field((int,), at_least(1)),
    "currency": Field((str,), one_of(frozenset({"EUR", "CHF"}))),
    "balance_amount": Field(NUMBER),
    "balance_changed_at": Field((int,), is_time),
    "is_text_deleted": Field((bool,)),
    "services": Field((list,), bool),
    "groups": Field((dict,), lambda groups: all(uri == f"/groups/{name}" for name, uri in groups.items())),
}

WEBHOOK: Table = {
    "id": Field((str, int), bool),
    "api_version": Field((str,), matching("2022-05-25")),
    "name": Field((str,), matching(r"sms\.delivery")),
    "created_at": Field((int,), is_time),
    "attempt_total": Field((int,), one_of(frozenset({4}))),
    "attempt_number": Field((int,), one_of(frozenset({1, 2, 3, 4}))),
    "notification_task_id": Field((str, int), bool),
    "data": Field((dict,)),
}
WEBHOOK_DATA: Table = {
    "id": SMS["uuid"],
    "key_id": SMS["key_id"],
    "dlr_code": SMS["dlr_code"],
    "status_code": SMS["status_code"],
    "callback_data": SMS["callback_data"],
}

TWOSMS_ANSWER: Table = {
    "Error": Field((dict,), nullable=True),
    "ResponseData": Field((dict,), nullable=True),
}
TWOSMS_ERROR: Table = {"ErrorCode": Field((str, int)), "ErrorReason": Field((str,), bool)}
TWOSMS_DATA: Table = {
    "Identification": Field((dict,), lambda value: set(value) == {"UserId"}),
    "Result": Field((str,)),
    "Detail": Field((dict,)),
}
TWOSMS_DETAIL: Table = {
    "NoOfMessagesExpired": Field((int,), at_least(0)),
    "NoOfMessagesDeleted": Field((int,), at_least(0)),
    "NumberOfCreditsUsed": Field(NUMBER, at_least(0)),
    "NumberOfCreditsRemaining": Field(NUMBER),
}


def deviations(row: Mapping[str, object], *tables: Table) -> list[str]:
    """Name what is missing, unknown or of the wrong kind in one object, held against the tables together."""
    table = {name: field for part in tables for name, field in part.items()}
    missing = [name for name, field in table.items() if name not in row and not field.optional]
    wrong = [f"{name}={row[name]!r}" for name in table if name in row and not table[name].allows(row[name])]
    return (
        [f"{name} is missing" for name in missing]
        + [f"{name} is not documented" for name in row if name not in table]
        + [f"{fault} is not allowed" for fault in wrong]
    )
