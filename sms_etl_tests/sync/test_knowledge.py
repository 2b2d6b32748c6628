"""What a run knows of the provider: what is written, when it is asked again, and what reading goes by."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from sms_etl.clock import as_utc, fixed_clock
from sms_etl.errors import BadRequest, ProviderDiffers, Unavailable
from sms_etl.sync.knowledge import Knowledge
from sms_etl.sync.provider_facts import (
    AS_DOCUMENTED,
    UNKNOWN,
    Fact,
    KnownFacts,
    ProviderFacts,
    fact,
    recall_facts,
)
from sms_etl.sync.streams import BULKS, BULKS_CHANGED, SMS
from sms_etl.warehouse.store import Transaction
from sms_etl_tests.sync.provider_model import Asked
from sms_etl_tests.sync.test_provider_facts import DifferingProvider, Ways, messages

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
INCLUSIVE, SLOW = fact("bounds", "inclusive"), fact("order", "ignored")


def known(*facts: Fact, age: timedelta = timedelta(0), has_bulks: bool = False) -> KnownFacts:
    return KnownFacts(facts, as_utc(NOW - age), has_bulks)


def knowledge(*facts: Fact) -> Knowledge:
    return Knowledge(known(*facts), fixed_clock(NOW))


def written(transaction: Transaction) -> dict[str, str]:
    return recall_facts(transaction).values


@pytest.mark.parametrize(
    ("found", "are_due"),
    [
        (KnownFacts(), True),
        (known(), True),
        (known(fact("bounds", UNKNOWN)), True),
        (known(INCLUSIVE, age=99 * DAY), False),
        (known(INCLUSIVE, SLOW, age=DAY - timedelta(seconds=1)), False),
        (known(INCLUSIVE, SLOW, age=DAY), True),
        (known(INCLUSIVE, SLOW, age=timedelta(0)), False),
        (known(INCLUSIVE, SLOW, age=-timedelta(seconds=1)), True),
    ],
)
def test_a_provider_is_probed_anew_where_nothing_is_known_or_a_slower_way_is_a_day_old(
    found: KnownFacts, are_due: bool
) -> None:
    assert found.are_due(NOW) is are_due


@pytest.mark.parametrize(
    ("value", "has_bulks", "are_due"),
    [
        (None, False, True),
        (UNKNOWN, True, True),
        (UNKNOWN, False, False),
        ("obeyed", True, False),
        ("forbidden", True, False),
    ],
)
def test_bulks_are_probed_once_there_are_any(value: str | None, has_bulks: bool, are_due: bool) -> None:
    facts = [INCLUSIVE] if value is None else [INCLUSIVE, fact("bulks_uuid_filter", value)]
    assert known(*facts, has_bulks=has_bulks).are_due_for_bulks() is are_due
    assert not KnownFacts().are_due_for_bulks()


@pytest.mark.parametrize(
    ("facts", "reading"),
    [
        ([], AS_DOCUMENTED),
        ([fact(name, UNKNOWN) for name in ("bounds", "order", "totals", "sms_uuid_filter")], AS_DOCUMENTED),
        ([fact("bounds", "exclusive")], ProviderFacts(are_bounds_inclusive=False)),
        ([SLOW], ProviderFacts(is_order_obeyed=False)),
        ([fact("totals", "wrong")], ProviderFacts(totals="wrong")),
        ([fact("totals", "capped"), fact("total_cap", 9)], ProviderFacts(totals="capped", total_cap=9)),
        ([fact("sms_uuid_filter", "ignored")], ProviderFacts(sms_uuid_filter_is_obeyed=False)),
        ([fact("sms_uuid_filter", "rejected")], ProviderFacts(sms_uuid_filter_is_obeyed=False)),
        ([fact("bulks_uuid_filter", "rejected")], ProviderFacts(bulks_uuid_filter_is_obeyed=False)),
        ([fact("bulks_uuid_filter", "forbidden")], AS_DOCUMENTED),
    ],
    ids=repr,
)
def test_reading_goes_by_what_was_found(facts: Sequence[Fact], reading: ProviderFacts) -> None:
    assert known(*facts).for_reading() == reading


@pytest.mark.parametrize(
    ("facts", "total", "trusted"),
    [
        (AS_DOCUMENTED, 7, 7),
        (AS_DOCUMENTED, None, None),
        (ProviderFacts(totals="wrong"), 7, None),
        (ProviderFacts(totals="missing"), 7, 7),
        (ProviderFacts(totals="capped", total_cap=9), 8, 8),
        (ProviderFacts(totals="capped", total_cap=9), 9, None),
    ],
)
def test_a_total_is_trusted_below_its_cap_unless_totals_are_wrong(
    facts: ProviderFacts, total: int | None, trusted: int | None
) -> None:
    assert facts.trusted_total(total) == trusted


@pytest.mark.parametrize(
    ("name", "value", "is_as_assumed"),
    [
        ("order", "obeyed", True),
        ("order", "ignored", False),
        ("page_size", 100, True),
        ("total_cap", 9, True),
        ("bulks_uuid_filter", UNKNOWN, True),
    ],
)
def test_a_fact_says_what_it_means_and_whether_it_was_assumed(
    name: str, value: str | int, is_as_assumed: bool
) -> None:
    found = fact(name, value)
    assert (found.value, found.is_as_assumed) == (str(value), is_as_assumed)
    assert found.explanation


async def test_what_is_found_is_written_once_and_recalled(transaction: Transaction) -> None:
    learning = Knowledge(KnownFacts(), fixed_clock(NOW))
    assert await learning.learn(DifferingProvider(messages(30), Ways(uuids="ignored")), None)
    assert learning.facts == ProviderFacts(sms_uuid_filter_is_obeyed=False)
    learning.write(transaction)
    assert written(transaction)["sms_uuid_filter"] == "ignored"
    recalled = recall_facts(transaction)
    assert (recalled.observed_at, recalled.has_bulks) == (as_utc(NOW), False)
    transaction.run("delete from ops.provider_fact")
    learning.write(transaction)
    assert written(transaction) == {}


async def test_what_is_known_is_not_asked_again_and_an_empty_account_teaches_nothing() -> None:
    provider = DifferingProvider([], Ways())
    assert not await knowledge(INCLUSIVE).learn(provider, None)
    assert provider.asked == []
    assert not await knowledge().learn(provider, None)
    assert len(provider.asked) == 1


async def test_of_bulks_is_learnt_where_that_is_due() -> None:
    class Counting(DifferingProvider):
        def _answer(self, asked: Asked) -> object:
            assert asked.path == "/bulks"
            return super()._answer(asked)

    provider = Counting([], Ways(bulk_uuids="ignored"), messages(9))
    learning = knowledge(INCLUSIVE)
    await learning.learn_of_bulks(provider, None)
    assert not learning.facts.obeys_uuids(BULKS)
    assert learning.facts.obeys_uuids(SMS)
    await learning.learn_of_bulks(provider, None)
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    ("exc", "value"),
    [(ProviderDiffers("x"), "ignored"), (BadRequest("x", status=400), "rejected")],
    ids=repr,
)
def test_a_list_of_uuids_that_is_not_obeyed_is_noted_of_its_listing_and_told(
    transaction: Transaction,
    caplog: pytest.LogCaptureFixture,
    exc: ProviderDiffers | BadRequest,
    value: str,
) -> None:
    caplog.set_level(logging.INFO, "sms_etl")
    for stream, name in ((SMS, "sms_uuid_filter"), (BULKS, "bulks_uuid_filter")):
        noting = knowledge(INCLUSIVE, SLOW)
        noting.note_uuids_disobeyed(stream, exc)
        assert not noting.facts.obeys_uuids(stream)
        assert noting.facts.obeys_uuids(SMS if stream is BULKS else BULKS_CHANGED)
        assert not noting.facts.is_order_obeyed
        assert caplog.messages[-1] == f"Rows of {stream.path} are asked for one by one: x"
        noting.write(transaction)
        assert written(transaction) == {"bounds": "inclusive", "order": "ignored", name: value}


def test_what_earlier_runs_found_is_not_written_again_as_if_it_were_new(transaction: Transaction) -> None:
    knowledge(INCLUSIVE).write(transaction)
    assert written(transaction) == {}


def test_a_contradiction_makes_the_next_run_probe_and_another_error_does_not(
    transaction: Transaction,
) -> None:
    doubting = knowledge(INCLUSIVE)
    doubting.note_uuids_disobeyed(SMS, ProviderDiffers("x"))
    doubting.write(transaction)
    doubting.doubt(Unavailable("x"))
    doubting.write(transaction)
    assert written(transaction) != {}
    doubting.doubt(ProviderDiffers("x"))
    doubting.write(transaction)
    assert written(transaction) == {}
    assert not doubting.facts.obeys_uuids(SMS), "this run goes on as it began"
