"""Holds what is read of 2SMS's answers: exact credits, counts that can be, and words without numbers."""

from decimal import Decimal

import pytest

from sms_etl.errors import (
    AccountNotActive,
    BadAnswer,
    BadRequest,
    FeatureUnavailable,
    NotFound,
    ProviderError,
    RequestRefused,
    Throttled,
    Unauthorised,
    Unavailable,
    UnexpectedRedirect,
)
from sms_etl.providers.twosms.answers import (
    MESSAGES_PATH,
    TOKEN_PATH,
    Removal,
    error_for,
    read_removal,
    read_token,
)


def answer(detail: str) -> bytes:
    data = f'{{"Identification": {{"UserId": "x"}}, "Result": "OK", "Detail": {detail}}}'
    return f'{{"Error": null, "ResponseData": {data}}}'.encode()


def refusal(code: str, reason: str, *, contents: bool = True) -> RequestRefused:
    body = f'{{"Error": {{"ErrorCode": {code}, "ErrorReason": {reason}}}, "ResponseData": null}}'.encode()
    with pytest.raises(RequestRefused) as caught:
        read_removal(body, contents=contents)
    return caught.value


def test_credits_are_the_decimals_of_the_text() -> None:
    read = read_removal(
        answer(
            '{"NoOfMessagesExpired": 2, "NoOfMessagesDeleted": 3, "NumberOfCreditsUsed": 0.1, '
            '"NumberOfCreditsRemaining": 12345678901.0000000000000000055}'
        ),
        contents=True,
    )
    assert read == Removal(2, 3, Decimal("0.1"), Decimal("12345678901.0000000000000000055"))


def test_credits_that_are_not_told_are_unknown_and_may_be_owed() -> None:
    read = read_removal(
        answer('{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": 0, "NumberOfCreditsRemaining": -2.5}'),
        contents=True,
    )
    assert (read.credits_used, read.credits_remaining) == (None, Decimal("-2.5"))


@pytest.mark.parametrize(
    "detail",
    [
        "null",
        "{}",
        '{"NoOfMessagesExpired": 1}',
        '{"NoOfMessagesExpired": -1, "NoOfMessagesDeleted": 0}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": 1.5}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": "1"}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": true}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": 0, "NumberOfCreditsUsed": "NaN"}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": 0, "NumberOfCreditsUsed": "Infinity"}',
        '{"NoOfMessagesExpired": 1000000001, "NoOfMessagesDeleted": 1}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": 0, "NumberOfCreditsRemaining": 1e12}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": 0, "NumberOfCreditsRemaining": -1e12}',
        '{"NoOfMessagesExpired": 0, "NoOfMessagesDeleted": 0, "NumberOfCreditsRemaining": []}',
    ],
)
def test_counts_that_cannot_be_are_a_bad_answer(detail: str) -> None:
    with pytest.raises(BadAnswer):
        read_removal(answer(detail), contents=True)


def test_the_largest_counts_and_credits_are_read() -> None:
    read = read_removal(
        answer(
            '{"NoOfMessagesExpired": 1000000000, "NoOfMessagesDeleted": 1, '
            '"NumberOfCreditsUsed": 999999999999.9, "NumberOfCreditsRemaining": -999999999999.9}'
        ),
        contents=True,
    )
    assert (read.expired, read.credits_used) == (10**9, Decimal("999999999999.9"))
    assert (read.attempts, read.has_lost_answer) == (1, False)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"<Response/>", b"\xff", b"[" * 5000])
def test_what_is_no_answer_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="2SMS's answer") as caught:
        read_removal(body, contents=True)
    assert ("XML" in caught.value.message) == body.startswith(b"<")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("7", "7"),
        ('"7"', "7"),
        ('"NotAllowed"', "NotAllowed"),
        ("491700000001", "unreadable"),
        ('"+491700000001"', "unreadable"),
        ('"Anna Schmidt"', "unreadable"),
        ("null", "unnamed"),
    ],
)
def test_a_code_is_shown_if_it_is_one(code: str, shown: str) -> None:
    assert refusal(code, "null").code == shown
    assert str(refusal(code, "null")).startswith(f"2SMS refused the deletion: error {shown}.")


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("Busy.", "Busy"),
        ("No message to +49 170 0000001.", "No message to …"),
        ("0170/000 00 01 is unknown", "… is unknown"),
        ("(0170) 0000001", "(…"),
        ("no anna@example.org", "no …"),
        ("2f9f2f2e-7f0e-4f0c-9a55-0d4b6f0e9c11 is unknown", "… is unknown"),
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.x is bad", "… is bad"),
        ("١٢٣٤٥٦٧٨٩ is unknown", "… is unknown"),
        ("try 2 of 3", "try 2 of 3"),
        ("a\\u001b[31mb", "a\\x1b[31mb"),
        ("a" * 30 + " b" * 150, "a" * 30 + " b" * 85),
    ],
)
def test_a_reason_is_shown_without_numbers_addresses_and_tokens(reason: str, shown: str) -> None:
    assert refusal("7", f'"{reason}"').reason == shown


@pytest.mark.parametrize(
    ("reason", "contents", "error"),
    [
        ("You may not delete messages", True, FeatureUnavailable),
        ("Deletion is not enabled for this account", True, FeatureUnavailable),
        ("The delete feature is disabled", True, FeatureUnavailable),
        ("You may not delete messages", False, RequestRefused),
        ("Nothing to delete", True, RequestRefused),
        ("You may not use the API", True, RequestRefused),
    ],
)
def test_only_an_error_about_the_right_to_delete_is_one_of_the_feature(
    reason: str, contents: bool, error: type[RequestRefused]
) -> None:
    assert type(refusal("3", f'"{reason}"', contents=contents)) is error


SINGLED_OUT: dict[int, type[ProviderError]] = {
    401: Unauthorised,
    403: AccountNotActive,
    404: NotFound,
    429: Throttled,
}
BY_HUNDREDS: dict[int, type[ProviderError]] = {
    2: BadAnswer,
    3: UnexpectedRedirect,
    4: BadRequest,
    5: Unavailable,
}


@pytest.mark.parametrize(
    ("path", "others"), [(MESSAGES_PATH, {}), (TOKEN_PATH, {400: Unauthorised})], ids=["deletion", "token"]
)
def test_every_status_but_200_has_its_class(path: str, others: dict[int, type[ProviderError]]) -> None:
    for status in range(201, 600):
        error = error_for(status, path, {"Retry-After": "7"})
        assert type(error) is (SINGLED_OUT | others).get(status, BY_HUNDREDS[status // 100]), status
        assert (error.status, error.retry_after) == (status, 7.0)
        assert str(status) in error.message
        assert error.hint


def test_what_is_wrong_with_a_200_is_an_error_of_status_200() -> None:
    ignored = answer('{"NoOfMessagesExpired": 1, "NoOfMessagesDeleted": 0}')
    for body in (b"{}", ignored, b'{"Error": {}, "ResponseData": null}'):
        with pytest.raises(ProviderError) as caught:
            read_removal(body, contents=True)
        assert caught.value.status == 200
    for token in (b"<html>", b'{"access_token": ""}'):
        with pytest.raises(BadAnswer) as caught:
            read_token(token)
        assert caught.value.status == 200
