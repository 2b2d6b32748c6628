"""Messages and bulks as documented, each different from all others."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from sms_etl.clock import to_unix
from sms_etl_tests.attacks.stand_in import Planted, Row

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_UUID = "0191ab12-7f10-11ef-8000-{:012x}"
_BULK_UUID = "0191ab12-7f10-11ef-9000-{:012x}"


def uuid_of(number: int) -> str:
    return _UUID.format(number)


def message(number: int, created_at: int) -> Row:
    """Return a message that is sent and not final: each later sync asks for it again."""
    uuid = uuid_of(number)
    return {
        "@id": f"/sms/{uuid}",
        "@type": "Sms",
        "bulk_id": None,
        "callback_data": None,
        "chars_count": 20 + number % 100,
        "clicks": f"/sms/{uuid}/clicks",
        "created_at": created_at,
        "delivery_at": 0,
        "dlr_code": 4,
        "gateway_sent_at": created_at + 1,
        "ip": "192.0.2.17",
        "is_sent": True,
        "is_text_deleted": False,
        "is_unicode": False,
        "iso2": "DE",
        "key_id": 8000 + number % 3,
        "parts_count": 1,
        "phone": f"+49151{number * 7919 % 10**8:08d}",
        "price": Decimal(5_600_000 + number).scaleb(-8).quantize(Decimal("0.000001")),
        "requests": f"/sms/{uuid}/requests",
        "sender_id": "ACME",
        "service_code": "direct",
        "source": 0,
        "status_code": 100,
        "text": f"order {number} is on its way",
        "uuid": uuid,
        "voice_lang": None,
        "attempts_count_max": None,
    }


def bulk(number: int, created_at: int) -> Row:
    """Return a bulk without messages, processed."""
    return {
        "uuid": _BULK_UUID.format(number),
        "created_at": created_at,
        "delivery_at": 0,
        "processed_at": created_at + 5,
        "status_code": 10,
        "msg_total_count": 0,
        "msg_total_cost": 0,
        "service_code": "direct",
        "voice_lang": None,
        "key_id": 8000,
        "source": 0,
        "ip": "192.0.2.17",
        "is_unicode": False,
        "is_dryrun": False,
        "is_text_deleted": False,
    }


def messages(count: int, *, seconds_apart: int = 60) -> list[Planted]:
    """Return messages up to a minute ago, oldest first."""
    first = to_unix(NOW) - count * seconds_apart
    return [Planted(message(number, first + number * seconds_apart)) for number in range(count)]


def bulks(count: int) -> list[Planted]:
    first = to_unix(NOW) - count * 600
    return [Planted(bulk(number, first + number * 600)) for number in range(count)]


def later(seconds: int, planted: Sequence[Planted], *, count: int = 5) -> list[Planted]:
    """Return messages that come so many seconds after those there are."""
    number = len(planted) + 100_000
    first = to_unix(NOW) + seconds
    return [Planted(message(number + each, first - each)) for each in range(count)]
