"""The realistic account is realistic, exact and the same each time."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sms_etl.sandbox.life.account import Account, AccountParameters, make_account
from sms_etl.sandbox.life.scenarios import country_of
from sms_etl.sandbox.life.traffic import VOICE_SERVICES
from sms_etl.sms_parts import count_parts

DAY = 86_400
PARAMETERS = AccountParameters(messages=12_000)
NOW = PARAMETERS.now


@pytest.fixture(scope="module")
def account() -> Account:
    return make_account(PARAMETERS)


def test_the_same_parameters_give_the_same_account(account: Account) -> None:
    assert make_account(PARAMETERS) == account
    assert make_account(replace(PARAMETERS, seed=2)) != account


@pytest.mark.parametrize("count", [0, 1, 7, 250])
def test_so_many_messages_are_created_by_the_end_as_were_asked_for(count: int) -> None:
    made = make_account(AccountParameters(messages=count, days=20))
    assert sum(message.created_at <= NOW for message in made.messages) == count


def test_uuids_are_distinct_time_based_and_lower_case(account: Account) -> None:
    uuids = {message.uuid for message in account.messages}
    assert len(uuids) == len(account.messages)
    assert all(uuid == uuid.lower() and uuid[14] == "1" and len(uuid) == 36 for uuid in uuids)


def test_traffic_goes_on_after_the_end_unless_told_otherwise(account: Account) -> None:
    assert any(message.created_at > NOW + 5 * DAY for message in account.messages)
    quiet = make_account(replace(PARAMETERS, messages=500, days_after=0))
    assert max(message.created_at for message in quiet.messages) <= NOW


def test_every_kind_of_end_is_there(account: Account) -> None:
    ends = {
        (message.steps[-1].status_code, message.steps[-1].dlr_code)
        for message in account.messages
        if message.steps[-1].at <= NOW
    }
    finals = {(100, 1), (100, 4), (100, 8), (100, 16), (208, 0), (2000, 0), (3000, 0), (5000, 0), (6000, 0)}
    assert finals <= ends


def test_most_economy_messages_stay_at_the_operators_acceptance(account: Account) -> None:
    ends = Counter(m.steps[-1].dlr_code for m in account.messages if m.service_code == "economy")
    assert ends[4] > 0.6 * ends.total()


def test_a_few_percent_of_reports_come_one_to_four_days_late(account: Account) -> None:
    late = [
        m for m in account.messages if DAY <= m.steps[-1].at - max(m.created_at, m.delivery_at) <= 4.1 * DAY
    ]
    assert 0.02 < len(late) / len(account.messages) < 0.08


def test_parts_are_those_of_the_text_and_prices_are_exact_multiples(account: Account) -> None:
    unit_prices = defaultdict(set)
    for message in account.messages:
        if message.service_code not in VOICE_SERVICES:
            assert message.parts_count == count_parts(message.text).parts
        if message.price != "0":
            unit = Decimal(message.price) / (message.parts_count or 1)
            unit_prices[message.service_code, message.iso2].add(unit)
    assert all(len(units) == 1 for units in unit_prices.values())
    assert len(unit_prices) > 20


def test_a_rejected_message_has_a_price_and_one_never_sent_has_none(account: Account) -> None:
    rejected = [message for message in account.messages if message.steps[-1].dlr_code == 16]
    assert rejected
    assert all(Decimal(message.price) > 0 for message in rejected)
    unsent = [message for message in account.messages if message.steps[-1].status_code == 5000]
    assert {message.price for message in unsent} == {"0"}


def test_texts_need_both_alphabets_and_several_parts(account: Account) -> None:
    assert {message.is_unicode for message in account.messages} == {True, False, None}
    assert {message.parts_count for message in account.messages} >= {1, 2, 3}


def test_germany_leads_a_dozen_countries_and_five_keys_send(account: Account) -> None:
    countries = Counter(country_of(message.phone) for message in account.messages)
    assert len(countries) == 12
    assert countries["DE"] > 0.5 * countries.total()
    assert len({message.key_id for message in account.messages}) == 5


def test_bulks_put_many_messages_into_one_second(account: Account) -> None:
    seconds = Counter(message.created_at for message in account.messages)
    assert [count for _, count in seconds.most_common(3)] >= [700, 600, 500]


def test_there_are_a_dry_run_a_cancelled_bulk_and_one_without_recipients(account: Account) -> None:
    assert len(account.bulks) == 25
    assert sum(bulk.is_dryrun for bulk in account.bulks) == 1
    ends = Counter(bulk.steps[-1].status_code for bulk in account.bulks)
    assert (ends[15], ends[201]) == (1, 1)
    (cancelled,) = [bulk for bulk in account.bulks if bulk.steps[-1].status_code == 15]
    made = [message for message in account.messages if message.bulk_id == cancelled.uuid]
    assert 0 < len(made) < cancelled.msg_total_count


def test_some_messages_are_scheduled_beyond_the_end(account: Account) -> None:
    scheduled = [m for m in account.messages if m.created_at <= NOW < m.delivery_at]
    assert scheduled
    assert {message.state_at(NOW).status_code for message in scheduled} <= {0}


def test_working_hours_are_busier_than_nights(account: Account) -> None:
    hours = Counter(
        datetime.fromtimestamp(m.created_at, tz=UTC).hour for m in account.messages if not m.bulk_id
    )
    assert hours[10] > 5 * hours[2]
