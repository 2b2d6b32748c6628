"""What a message shows as time passes, and the switches of what the documentation leaves open."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sms_etl.sandbox.control.switches import SandboxSwitches, switches_from
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle

NOW = AccountParameters().now
DAY = 86_400
Listed = Callable[[str], list[str]]


def sent_at(at: int, dlr_code: int = 0) -> dict[str, Any]:
    return {"at": at, "status_code": 100, "dlr_code": dlr_code, "is_sent": True}


def _shown(lox24: httpx.Client, uuid: str, *names: str) -> tuple[Any, ...]:
    row = lox24.get(f"/sms/{uuid}").json()
    return tuple(row[name] for name in names)


def test_a_message_goes_through_its_life_as_the_clock_moves(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    (uuid,) = sandbox.insert(
        {"steps": [sent_at(NOW + 10), sent_at(NOW + 20, dlr_code=2), sent_at(NOW + 3 * DAY, dlr_code=1)]}
    )
    names = ("status_code", "dlr_code", "is_sent", "gateway_sent_at")
    assert _shown(lox24, uuid, *names) == (0, 0, False, 0)
    sandbox.advance(timedelta(seconds=10))
    assert _shown(lox24, uuid, *names) == (100, 0, True, NOW + 10)
    sandbox.advance(timedelta(seconds=10))
    assert _shown(lox24, uuid, *names) == (100, 2, True, NOW + 10)
    sandbox.advance(timedelta(days=3))
    assert _shown(lox24, uuid, *names) == (100, 1, True, NOW + 10)


def test_time_stands_still_unless_it_is_moved(sandbox: SandboxHandle) -> None:
    assert sandbox.now() == sandbox.now() == AccountParameters().end


def test_a_text_goes_and_its_length_stays(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    (uuid,) = sandbox.insert({"text": "secret", "text_deleted_at": NOW + 60})
    assert _shown(lox24, uuid, "text", "is_text_deleted") == ("secret", False)
    sandbox.advance(timedelta(seconds=60))
    assert _shown(lox24, uuid, "text", "is_text_deleted", "chars_count") == ("", True, 6)


def test_parts_are_unknown_until_counted(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    (uuid,) = sandbox.insert({"counted_at": NOW + 30})
    assert _shown(lox24, uuid, "parts_count") == (None,)
    sandbox.advance(timedelta(seconds=30))
    assert _shown(lox24, uuid, "parts_count") == (1,)


def test_attempts_are_absent_before_december_2025(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    old, new = sandbox.insert({"created_at": 1_764_547_199}, {"created_at": 1_764_547_200})
    assert "attempts_count_max" not in lox24.get(f"/sms/{old}").json()
    assert _shown(lox24, new, "attempts_count_max") == (None,)


def test_a_late_message_appears_below_a_newer_one(sandbox: SandboxHandle, listed: Listed) -> None:
    first, second, third = sandbox.insert(*({"created_at": NOW - 10 + index} for index in range(3)))
    assert listed("_order[created_at]=asc") == [first, second, third]
    sandbox.set_switches(visible_after_seconds=60, visible_late_every=2)
    before = listed("_order[created_at]=asc")
    assert 0 < len(before) < 3
    assert sandbox.truth()["messages"] == len(before)
    sandbox.advance(timedelta(seconds=60))
    assert listed("_order[created_at]=asc") == [first, second, third]


def test_messages_older_than_they_are_kept_are_gone(
    sandbox: SandboxHandle, lox24: httpx.Client, listed: Listed
) -> None:
    old, new = sandbox.insert({"created_at": NOW - 31 * DAY}, {"created_at": NOW - 29 * DAY})
    sandbox.set_switches(keep_days=30)
    assert listed("") == [new]
    assert lox24.get(f"/sms/{old}").status_code == 404


def test_a_price_changes_late_if_switched_so(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    (uuid,) = sandbox.insert({"price": "0.0719", "steps": [sent_at(NOW)]})
    sandbox.set_switches(late_price_every=1, late_price_after_seconds=60)
    assert '"price":0.0719,' in lox24.get(f"/sms/{uuid}").text
    sandbox.advance(timedelta(seconds=60))
    assert '"price":0.0729,' in lox24.get(f"/sms/{uuid}").text
    assert sandbox.truth()["price_sum"] == "0.0729"


def test_a_price_is_null_until_sent_if_switched_so(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    (uuid,) = sandbox.insert({"price": "0.0719", "steps": [sent_at(NOW + 60)]})
    assert _shown(lox24, uuid, "price") == (0.0719,)
    sandbox.set_switches(price_null_until_sent=True)
    assert _shown(lox24, uuid, "price") == (None,)
    assert sandbox.truth()["price_sum"] == "0"
    sandbox.advance(timedelta(seconds=60))
    assert _shown(lox24, uuid, "price") == (0.0719,)


def test_a_row_that_is_not_as_documented_is_shown_as_it_was_given(sandbox: SandboxHandle) -> None:
    sandbox.insert({"extra": {"price": Decimal("0.12345678901234567890"), "dlr_code": 77, "colour": "red"}})
    (row,) = sandbox.truth_sms()
    assert (str(row["price"]), row["dlr_code"], row["colour"]) == ("0.12345678901234567890", 77, "red")


def test_the_balance_falls_by_what_is_sent_also_when_it_is_deleted(
    sandbox: SandboxHandle, lox24: httpx.Client
) -> None:
    sent, unsent = sandbox.insert(
        {"price": "0.0719", "steps": [sent_at(NOW)]}, {"price": "5", "steps": [sent_at(NOW + 60)]}
    )
    assert '"balance_amount":9999.9281,' in lox24.get("/me").text
    sandbox.delete(sent, unsent)
    sandbox.advance(timedelta(seconds=60))
    account = lox24.get("/me")
    assert '"balance_amount":9999.9281,' in account.text
    assert account.json()["balance_changed_at"] == NOW


def test_the_account_says_its_currency(sandbox: SandboxHandle, lox24: httpx.Client) -> None:
    account = lox24.get("/me").json()
    assert (account["currency"], account["balance_amount"], account["balance_changed_at"]) == (
        "EUR",
        10_000,
        0,
    )
    sandbox.set_switches(currency="CHF")
    assert lox24.get("/me").json()["currency"] == "CHF"


@pytest.mark.parametrize(
    ("values", "named"),
    [({"colour": "red"}, "colour"), ({"page_size": 0}, "page_size"), ({"currency": "USD"}, "currency")],
)
def test_a_switch_out_of_bounds_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        switches_from(values)


def test_switches_that_are_not_named_stay() -> None:
    changed = switches_from({"page_size": 7}, base=SandboxSwitches(currency="CHF"))
    assert (changed.page_size, changed.currency) == (7, "CHF")
