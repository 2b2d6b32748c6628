"""What a probe finds out about a provider, and what it costs; the provider in memory, and no warehouse."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms_etl.errors import AccountNotActive, BadRequest, ProviderDiffers, Unauthorised, Unavailable
from sms_etl.sync.probe import probe, probe_bulks
from sms_etl.sync.provider_facts import UNKNOWN
from sms_etl_tests.sync.provider_model import Asked
from sms_etl_tests.sync.test_provider_facts import BEGINNING, DifferingProvider, Ways, messages

NOW = datetime(2026, 3, 1, tzinfo=UTC)
USUAL = {
    "key_prefix": "hydra:",
    "order": "obeyed",
    "bounds": "inclusive",
    "totals": "exact",
    "page_size": "6",
    "sms_uuid_filter": "obeyed",
}


async def found(
    rows: Sequence[dict[str, Any]], *, start: datetime | None = None, now: datetime = NOW, **ways: Any
) -> tuple[dict[str, str], int]:
    """Return what is found, and how many requests that takes."""
    provider = DifferingProvider(rows, Ways(**ways))
    probed = await probe(provider, start=start, now=now)
    return {each.fact: each.value for each in probed.facts}, len(provider.asked)


@pytest.mark.parametrize(
    ("ways", "facts", "requests"),
    [
        ({}, {}, 5),
        ({"prefix": ""}, {"key_prefix": "none"}, 5),
        ({"order": "desc"}, {"order": "ignored"}, 5),
        ({"are_lower_bounds_inclusive": False}, {"bounds": "exclusive"}, 6),
        ({"are_upper_bounds_inclusive": False}, {"bounds": "exclusive"}, 6),
        ({"totals": "missing"}, {"totals": "missing", "page_size": None}, 3),
        ({"totals": "too many"}, {"totals": "wrong"}, 5),
        ({"total_cap": 12}, {"totals": "capped", "total_cap": "12"}, 5),
        ({"clamps_pages": True}, {}, 5),
        ({"uuids": "ignored"}, {"sms_uuid_filter": "ignored"}, 5),
        ({"uuids": "rejected"}, {"sms_uuid_filter": "rejected"}, 5),
        ({"uuids": "last only"}, {"sms_uuid_filter": "ignored"}, 6),
        ({"page_size": 25}, {"page_size": "25"}, 5),
        ({"page_size": 30}, {"page_size": UNKNOWN}, 4),
    ],
    ids=repr,
)
async def test_what_differs_is_found_at_a_few_requests(
    ways: dict[str, Any], facts: dict[str, str | None], requests: int
) -> None:
    expected = {name: value for name, value in (USUAL | facts).items() if value is not None}
    assert await found(messages(30), **ways) == (expected, requests)


async def test_a_single_row_behind_the_last_page_shows_that_totals_stop_at_a_cap() -> None:
    facts, _ = await found(messages(13), total_cap=12)
    assert (facts["totals"], facts["total_cap"]) == ("capped", "12")


async def test_the_first_and_the_last_message_of_a_page_are_asked_for_by_uuid() -> None:
    provider = DifferingProvider(messages(30), Ways())
    await probe(provider, start=None, now=NOW)
    [asked] = [each.uuids for each in provider.asked if each.uuids]
    assert asked == (provider.rows[0]["uuid"], provider.rows[5]["uuid"])


async def test_in_an_empty_account_there_is_nothing_to_ask_about() -> None:
    assert await found([]) == ({}, 1)


async def test_one_message_leaves_open_what_it_cannot_show() -> None:
    facts, _ = await found(messages(1))
    assert facts == USUAL | dict.fromkeys(("order", "page_size", "sms_uuid_filter"), UNKNOWN)


async def test_a_row_or_two_whose_time_is_wrong_leave_the_order_obeyed() -> None:
    for wrong, order in ((2, "obeyed"), (3, "ignored")):  # of eleven pairs of neighbours a fifth may be
        asked = messages(12)
        for number in range(wrong):
            asked[2 * number + 1]["created_at"] = BEGINNING + 1000 + number
        provider = Unsorted(asked, Ways(page_size=12))
        probed = await probe(provider, start=None, now=NOW)
        assert {each.fact: each.value for each in probed.facts}["order"] == order


class Unsorted(DifferingProvider):
    """Answers rows in the order they are in."""

    def _meeting(self, rows: Sequence[Any], asked: Asked, obedience: Any) -> list[Any]:
        meeting = super()._meeting(rows, asked, obedience)
        return [row for row in rows if row in meeting]


async def test_nothing_before_the_start_and_nothing_after_now_is_asked_for() -> None:
    start = datetime.fromtimestamp(BEGINNING + 70, UTC)
    for now, span in ((NOW, (BEGINNING + 70, int(NOW.timestamp()))), (start - timedelta(1), None)):
        provider = DifferingProvider(messages(30), Ways())
        await probe(provider, start=start, now=now)
        last = int(now.timestamp())
        assert provider.asked[0].span == (span or (last, last))


async def test_a_message_that_its_own_second_does_not_bring_shows_that_time_is_not_obeyed() -> None:
    class Shifted(DifferingProvider):
        def _holds(self, row: Any, name: str, value: str) -> bool:
            return super()._holds({**row, "created_at": row["created_at"] + 5000}, name, value)

    with pytest.raises(ProviderDiffers, match="is not found by the second it was created in"):
        await probe(Shifted(messages(3), Ways()), start=None, now=NOW)
    alone = await probe(Shifted(messages(1), Ways()), start=None, now=NOW)
    assert ("bounds", UNKNOWN) in [(each.fact, each.value) for each in alone.facts], "its time may be wrong"


@pytest.mark.parametrize(
    ("error", "value"),
    [
        (AccountNotActive("x", status=403), "forbidden"),
        (BadRequest("x", status=400), UNKNOWN),
        (Unavailable("x", status=500), UNKNOWN),
    ],
    ids=repr,
)
async def test_bulks_that_cannot_be_asked_for_are_told_from_a_filter_that_is_not_obeyed(
    error: Exception, value: str
) -> None:
    class Refusing(DifferingProvider):
        def _answer(self, asked: Asked) -> object:
            raise error

    bulk = await probe_bulks(Refusing([], Ways()), start=None, now=NOW)
    assert (bulk.fact, bulk.value) == ("bulks_uuid_filter", value)


async def test_a_token_that_is_refused_is_an_error_for_bulks_too() -> None:
    class Refusing(DifferingProvider):
        def _answer(self, asked: Asked) -> object:
            raise Unauthorised("x", status=401)

    with pytest.raises(Unauthorised):
        await probe_bulks(Refusing([], Ways()), start=None, now=NOW)


@pytest.mark.parametrize("obedience", ["obeyed", "ignored", "rejected"])
async def test_bulks_are_probed_by_two_requests(obedience: str) -> None:
    provider = DifferingProvider([], Ways(bulk_uuids=obedience), messages(9))  # type: ignore[arg-type]  # the three
    assert (await probe_bulks(provider, start=None, now=NOW)).value == obedience
    assert [asked.path for asked in provider.asked] == ["/bulks", "/bulks"]
