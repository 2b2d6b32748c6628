"""Holds what the client asks of 2SMS, and that what it is told is what was done; against the sandbox."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

from sms_etl.accounts import with_twosms
from sms_etl.errors import FeatureUnavailable, NotFound, RequestRefused, SettingsError, Unauthorised
from sms_etl.providers.twosms.answers import TOKEN_PATH
from sms_etl.providers.twosms.criteria import ByDestination, ByMessageIds
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import load_settings
from sms_etl_tests.faults.proxy import Fault, FaultyProxy
from sms_etl_tests.faults.repertoire import answers
from sms_etl_tests.providers.twosms.conftest import (
    DELETION,
    Clock,
    Connect,
    asked_for,
    deleted,
    expired,
    insert,
    spoil_first,
)

HOUR = 3600.0


async def test_messages_are_deleted_by_id_and_no_others(connect: Connect, sandbox: SandboxHandle) -> None:
    wanted, before = insert(sandbox, 2, is_advanced=False), deleted(sandbox)
    insert(sandbox, 2)
    removal = await (await connect()).delete(ByMessageIds(*wanted), contents=True)
    assert deleted(sandbox) - before == set(wanted)
    assert (removal.deleted, removal.expired, removal.attempts, removal.has_lost_answer) == (2, 0, 1, False)
    assert removal.credits_used == 0
    assert removal.credits_remaining == Decimal("1000.35")


async def test_without_contents_advanced_messages_expire_and_standard_ones_stay(
    connect: Connect, sandbox: SandboxHandle
) -> None:
    (advanced,), (standard,), before = insert(sandbox), insert(sandbox, is_advanced=False), deleted(sandbox)
    removal = await (await connect()).delete(ByMessageIds(advanced, standard), contents=False)
    assert (removal.expired, removal.deleted) == (1, 0)
    assert deleted(sandbox) == before
    assert {advanced, standard} & expired(sandbox) == {advanced}


async def test_messages_to_a_number_are_deleted_within_their_span(
    connect: Connect, sandbox: SandboxHandle
) -> None:
    now, number = sandbox.now(), "+491700000002"
    at = [int((now - timedelta(days=days)).timestamp()) for days in (3, 2, 1)]
    old, wanted, recent = (insert(sandbox, destination=number, sent_at=each)[0] for each in at)
    (anothers,) = insert(sandbox, destination="+4917000000021", sent_at=at[1])
    span = ByDestination(number, now - timedelta(days=2), now - timedelta(days=2) + timedelta(seconds=1))
    assert (await (await connect()).delete(span, contents=True)).deleted == 1
    assert {old, wanted, recent, anothers} & deleted(sandbox) == {wanted}


async def test_what_is_gone_already_is_no_error(connect: Connect, sandbox: SandboxHandle) -> None:
    client, (wanted,) = await connect(), insert(sandbox)
    for count in (1, 0):
        assert (await client.delete(ByMessageIds(wanted), contents=True)).deleted == count
    assert (await client.delete(ByMessageIds(uuid4()), contents=True)).deleted == 0


async def test_a_request_says_what_it_wants_and_no_more(connect: Connect, proxy: FaultyProxy) -> None:
    wanted = uuid4()
    await (await connect()).delete(
        ByMessageIds(wanted), contents=True, notify_recipients=True, reason="retention"
    )
    token, deletion = proxy.asked_in_this_run()
    assert token.head.startswith(f"POST {TOKEN_PATH} HTTP/1.1")
    assert "content-type: application/x-www-form-urlencoded" in token.head.lower()
    assert parse_qs(token.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["sandbox"],
        "client_secret": ["sandbox-secret"],
    }
    assert deletion.head.startswith(f"DELETE {DELETION} HTTP/1.1")
    assert "\r\ncontent-type: application/json" in deletion.head.lower()
    assert "\r\naccept: application/json" in deletion.head.lower()
    assert json.loads(deletion.body) == {
        "MessageIDs": [str(wanted)],
        "Delete": True,
        "NotifyRecipients": True,
        "Reason": "retention",
    }


async def test_a_token_is_asked_for_once_and_renewed_before_it_ends(
    connect: Connect, proxy: FaultyProxy, clock: Clock
) -> None:
    client = await connect()
    for clock.seconds, tokens in ((0, 1), (7.9 * HOUR, 1), (7.92 * HOUR, 2), (15 * HOUR, 2)):
        await client.delete(ByMessageIds(uuid4()), contents=False)
        assert len(asked_for(proxy, TOKEN_PATH)) == tokens, clock.seconds


@pytest.mark.parametrize(
    ("expires_in", "good_until"),
    [
        (b"28800", 28_500),
        (b'"28800"', 28_500),
        (b"3600", 3300),
        (b"60", 30),
        (b"null", 28_500),
        (b"-5", 28_500),
        (b"99999999", 28_500),
        (b'"soon"', 28_500),
        (b"{}", 28_500),
    ],
)
async def test_a_token_is_good_for_as_long_as_it_says_or_is_documented(
    connect: Connect, proxy: FaultyProxy, clock: Clock, expires_in: bytes, good_until: float
) -> None:
    body = b'{"access_token": "abc", "expires_in": %b}' % expires_in
    proxy.begin(lambda asked: Fault("a token", answers(200, body)) if asked.path == TOKEN_PATH else None)
    client = await connect()
    for clock.seconds, tokens in ((0, 1), (good_until - 1, 1), (good_until, 2)):
        await client.check()
        assert len(asked_for(proxy, TOKEN_PATH)) == tokens, clock.seconds


async def test_several_deletions_at_once_share_one_token(connect: Connect, proxy: FaultyProxy) -> None:
    client = await connect()
    await asyncio.gather(*(client.delete(ByMessageIds(uuid4()), contents=False) for _ in range(8)))
    assert (len(asked_for(proxy, TOKEN_PATH)), len(asked_for(proxy, DELETION))) == (1, 8)


async def test_a_token_that_is_refused_is_renewed_and_the_deletion_done(
    connect: Connect, proxy: FaultyProxy, sandbox: SandboxHandle, waits: list[float]
) -> None:
    client, (wanted,) = await connect(), insert(sandbox)
    await client.check()
    sandbox.advance(timedelta(hours=9))
    removal = await client.delete(ByMessageIds(wanted), contents=True)
    assert (removal.deleted, removal.attempts, removal.has_lost_answer) == (1, 2, False)
    assert (len(asked_for(proxy, TOKEN_PATH)), waits) == (2, [])


async def test_several_deletions_whose_token_is_refused_share_one_new_token(
    connect: Connect, proxy: FaultyProxy
) -> None:
    spoil_first(proxy, DELETION, *[Fault("401", answers(401))] * 4)
    client = await connect()
    await client.check()
    await asyncio.gather(*(client.delete(ByMessageIds(uuid4()), contents=False) for _ in range(4)))
    assert (len(asked_for(proxy, TOKEN_PATH)), len(asked_for(proxy, DELETION))) == (2, 8)


async def test_tokens_that_are_always_refused_stop_everything(connect: Connect, proxy: FaultyProxy) -> None:
    spoil_first(proxy, DELETION, *[Fault("401", answers(401))] * 9)
    client = await connect()
    for _ in range(2):
        with pytest.raises(Unauthorised, match="2SMS answered 401") as caught:
            await client.delete(ByMessageIds(uuid4()), contents=True)
        assert "rights" in caught.value.hint
    assert (len(asked_for(proxy, TOKEN_PATH)), len(asked_for(proxy, DELETION))) == (2, 2)


async def test_wrong_credentials_are_tried_once(
    connect: Connect, proxy: FaultyProxy, waits: list[float]
) -> None:
    client = await connect(secret="wrong")
    for _ in range(3):
        with pytest.raises(Unauthorised, match="2SMS answered 400 to /Token") as caught:
            await client.check()
        assert "SMS_ETL_TWOSMS_CLIENT_SECRET" in caught.value.hint
    tries = (client.delete(ByMessageIds(uuid4()), contents=True) for _ in range(5))
    assert {type(each) for each in await asyncio.gather(*tries, return_exceptions=True)} == {Unauthorised}
    assert (len(proxy.asked_in_this_run()), client.requests, waits) == (1, 1, [])


async def test_an_error_in_a_200_is_an_error_without_the_number_in_it(
    connect: Connect, sandbox: SandboxHandle, waits: list[float]
) -> None:
    sandbox.set_switches(twosms_error_code=7)
    now = sandbox.now()
    span = ByDestination("+491700000003", now - timedelta(days=1), now)
    with pytest.raises(RequestRefused, match="error 7, “Nothing was done for …”") as caught:
        await (await connect()).delete(span, contents=True)
    assert (caught.value.code, caught.value.reason, waits) == ("7", "Nothing was done for …", [])
    assert not isinstance(caught.value, FeatureUnavailable)
    assert "1700000003" not in str(caught.value)


@pytest.mark.parametrize("way", ["error", "ignored"])
async def test_an_account_that_cannot_delete_is_told_by_an_error_of_its_own(
    connect: Connect, sandbox: SandboxHandle, way: str
) -> None:
    """Where the provider says nothing, that messages expired and nothing was deleted gives it away."""
    sandbox.set_switches(twosms_may_delete=False, twosms_delete_without_feature=way)
    client, (wanted,) = await connect(), insert(sandbox)
    with pytest.raises(FeatureUnavailable, match="2SMS") as caught:
        await client.delete(ByMessageIds(wanted), contents=True)
    assert "feature of the account" in caught.value.hint
    assert wanted not in deleted(sandbox)
    assert (wanted in expired(sandbox)) == (way == "ignored")
    assert (await client.delete(ByMessageIds(*insert(sandbox)), contents=False)).expired == 1


async def test_what_is_not_a_deletion_of_certain_messages_sends_nothing(
    connect: Connect, proxy: FaultyProxy
) -> None:
    client = await connect()
    refused: tuple[Any, ...] = (None, "", {}, [], [""], {"MessageIDs": []})
    for criteria in refused:
        with pytest.raises(TypeError):
            await client.delete(criteria, contents=True)
    emptied = ByMessageIds(uuid4())
    object.__setattr__(emptied, "ids", ())
    with pytest.raises(AssertionError, match="never sent"):
        await client.delete(emptied, contents=True)
    assert asked_for(proxy, DELETION) == []


async def test_an_address_below_a_path_is_kept(connect: Connect, proxy: FaultyProxy) -> None:
    proxy.begin(lambda asked: Fault("404", answers(404)))
    with pytest.raises(NotFound):
        await (await connect(url=f"{proxy.url}/gateway")).check()
    assert [asked.path for asked in proxy.asked_in_this_run()] == [f"/gateway{TOKEN_PATH}"]


def test_code_that_is_not_asynchronous_deletes_as_well(sandbox: SandboxHandle, tmp_path: Path) -> None:
    (wanted,) = insert(sandbox)
    settings = load_settings(
        data_dir=tmp_path,
        twosms_base_url=sandbox.url,
        twosms_client_id=sandbox.twosms_client_id,
        twosms_client_secret=sandbox.twosms_client_secret,
    )
    removal = with_twosms(settings, lambda client: client.delete(ByMessageIds(wanted), contents=True))
    assert (removal.deleted, wanted in deleted(sandbox)) == (1, True)


def test_without_credentials_it_is_said_which_to_set(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, twosms_client_id=None, twosms_client_secret=None)
    with pytest.raises(SettingsError, match="SMS_ETL_TWOSMS_CLIENT_ID and SMS_ETL_TWOSMS_CLIENT_SECRET are"):
        with_twosms(settings, lambda client: client.check())
