"""Holds that a listing by phone is believed only as far as it obeys the filter, and ends."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from sms_etl.erasure.providers import _search
from sms_etl.erasure.subject import Subject
from sms_etl.errors import ProviderDiffers
from sms_etl.providers.lox24.client import Answer

Read = TypeVar("Read")
DIGITS = "4915799887766"
SUBJECT = Subject((f"+{DIGITS}",))


class Listing:
    """A client of a provider that has some pages, and whatever it answers behind them."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = pages
        self.asked = 0

    async def get(
        self, _path: str, query: Any, read: Callable[[Answer], Read], *, page: int | None = None
    ) -> Read:
        assert ("phone", DIGITS) in query
        self.asked += 1
        rows = self.pages[min(page or 1, len(self.pages)) - 1]
        return read(Answer(json.dumps({"hydra:member": rows}).encode(), None, {}))


def row(number: int, phone: str | None, bulk: str | None = None) -> dict[str, Any]:
    return {"uuid": f"00000000-0000-1000-8000-{number:012}", "phone": phone, "bulk_id": bulk}


async def search(listing: Listing) -> dict[str, str | None]:
    return await _search(listing, DIGITS, DIGITS, SUBJECT)  # type: ignore[arg-type]  # it has what is used


async def test_only_exactly_this_number_is_found_however_it_is_written() -> None:
    rows = [row(1, f"+{DIGITS}"), row(2, f"+{DIGITS}0"), row(3, f"00{DIGITS}", "bulk"), row(4, f"+1{DIGITS}")]
    found = await search(Listing(rows, []))
    assert found == {row(1, None)["uuid"]: None, row(3, None)["uuid"]: "bulk"}


async def test_a_listing_that_shows_other_numbers_is_not_believed() -> None:
    with pytest.raises(ProviderDiffers, match="does not obey the filter by phone") as caught:
        await search(Listing([row(1, f"+{DIGITS}"), row(2, "+4917612345678")], []))
    assert "1761234" not in str(caught.value)


async def test_a_listing_whose_last_page_comes_again_and_again_ends() -> None:
    listing = Listing([row(1, f"+{DIGITS}")], [row(2, f"+{DIGITS}")])
    assert len(await search(listing)) == 2
    assert listing.asked == 3
