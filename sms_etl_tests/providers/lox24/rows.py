"""A message and a bulk as the provider's reference shows them, and how to write them with a field changed."""

import json
from collections.abc import Mapping
from typing import Any

from sms_etl.pii.policy import Pii, PiiPolicy

HIDDEN = Pii(PiiPolicy.PSEUDONYMISE, b"a key")
KEPT = Pii(PiiPolicy.KEEP, b"a key")
UUID = "0191ab12-7f10-11ef-8000-0242ac120002"
BULK_UUID = "0191ab12-7f10-11ef-8000-0242ac120003"
TEXT = "Hello Ann, your code is 1234"
PHONE = "+14155552671"

# The example of the provider's reference, with a uuid and two fields set.
ROW: dict[str, Any] = {
    "bulk_id": None,
    "callback_data": None,
    "chars_count": 28,
    "clicks": f"/sms/{UUID}/clicks",
    "created_at": 1755868416,
    "delivery_at": 0,
    "dlr_code": 0,
    "gateway_sent_at": 0,
    "ip": "139.59.136.251",
    "is_sent": False,
    "is_text_deleted": False,
    "is_unicode": False,
    "iso2": "US",
    "key_id": 8291,
    "parts_count": 1,
    "phone": PHONE,
    "price": 0.056,
    "requests": f"/sms/{UUID}/requests",
    "sender_id": "+19388888025",
    "service_code": "direct",
    "source": 0,
    "status_code": 0,
    "text": TEXT,
    "uuid": UUID,
    "voice_lang": None,
}
BULK: dict[str, Any] = {
    "uuid": BULK_UUID,
    "ip": "139.59.136.251",
    "service_code": "direct",
    "sender_id": "ACME",
    "text": TEXT,
    "phones": [PHONE],
    "msg_groups": None,
    "status_code": 10,
    "created_at": 1755868416,
    "delivery_at": 0,
    "processed_at": 1755868500,
    "msg_total_count": 3,
    "msg_total_cost": 0.168,
    "is_unicode": None,
    "is_dryrun": False,
    "is_text_deleted": False,
    "key_id": 8291,
    "source": 0,
    "voice_lang": None,
}


def raw(row: Mapping[str, Any], **literals: str) -> bytes:
    """Write a row as JSON; `literals` are put in as they stand."""
    fields = {name: json.dumps(value) for name, value in row.items()} | literals
    return ("{" + ", ".join(f'"{name}": {literal}' for name, literal in fields.items()) + "}").encode()
