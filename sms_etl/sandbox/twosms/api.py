"""2SMS's two endpoints: the token, and the call that expires and deletes messages.

Errors of the second come inside HTTP 200. Without criteria it takes every message that has expired or was
read as often as allowed, as documented; with `MessageIDs` it looks at nothing else.

A body is JSON unless its `Content-Type` is XML. The answer has the form that `Accept` names, JSON before XML,
and that of the body where it names neither (`*/*`). The samples show no answer in XML: here its elements are
named as in JSON, and what is null is left out.
"""

import secrets
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sms_etl.sandbox.lox24.answers import JSON, answer
from sms_etl.sandbox.storage.state import SandboxState
from sms_etl.sandbox.twosms.store import Removal, TwoSmsMessage
from sms_etl.sandbox.twosms.xml import read_criteria, xml_bytes

SANDBOX_CLIENT_ID = "sandbox"
SANDBOX_CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - a public constant that opens nothing but a sandbox
TOKEN_GOOD_FOR_S = 8 * 3600
_USER_ID = "sandbox-user"
_CREDITS = 1000
_TODAY, _BOTH = 0, 0
_XML, _XML_TYPES, _JSON_TYPES = "application/xml", ("application/xml", "text/xml"), (JSON, "text/json")

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""`2024-03-29T08:22:36Z` as described, or `2024-03-29T08:22:36.782195+00:00` as in the samples."""


class _Criteria(msgspec.Struct, forbid_unknown_fields=True):
    """The documented body; nothing in it is required."""

    Destination: str | None = None
    MessageIDs: list[uuid.UUID] | None = None
    Range: int | None = None
    StartDate: _Moment | None = None
    FinishDate: _Moment | None = None
    Type: int | None = None
    Delete: bool = False
    NotifyRecipients: bool = False
    Reason: str | None = None


class TwoSmsApi:
    """The endpoints, over one sandbox's state."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._tokens: dict[str, int] = {}

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/Token", self._token, methods=["POST"]),
            Route("/api/v1/sms/messages", self._remove, methods=["DELETE"]),
        ]

    async def _token(self, request: Request) -> Response:
        form = {
            name: values[-1] for name, values in parse_qs((await request.body()).decode("latin-1")).items()
        }
        if form.get("grant_type") != "client_credentials":
            return answer({"error": "unsupported_grant_type"}, status=400)
        wanted = (SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET)
        if (form.get("client_id"), form.get("client_secret")) != wanted:
            return answer({"error": "invalid_client"}, status=400)
        token = secrets.token_urlsafe(32)
        self._tokens[token] = self._state.now() + TOKEN_GOOD_FOR_S
        return answer({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_GOOD_FOR_S})

    async def _remove(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._tokens.get(token, 0) <= self._state.now():
            denied = {"Message": "Authorization has been denied for this request."}
            return _reply(request, denied, root="Error", status=401)
        try:
            criteria = await _criteria_of(request)
        except ValueError as exc:
            return _error(request, 1, str(exc))
        if criteria.Range not in {None, _TODAY} or criteria.Type not in {None, _BOTH}:
            return _error(request, 2, "Range or Type is not known.")
        if criteria.Delete and not self._state.switches.twosms_may_delete:
            return _error(request, 3, "The account may not delete messages.")
        chosen = [message for message in self._state.twosms.messages() if self._is_meant(message, criteria)]
        removal = self._state.twosms.remove(chosen, with_contents=criteria.Delete)
        self._state.keep()
        return _reply(request, {"Error": None, "ResponseData": _response_data(removal)})

    def _is_meant(self, message: TwoSmsMessage, criteria: _Criteria) -> bool:
        if criteria.MessageIDs:
            return uuid.UUID(message.id) in criteria.MessageIDs
        given = (criteria.Destination, criteria.Range, criteria.StartDate, criteria.FinishDate, criteria.Type)
        if all(value is None for value in given):
            return message.is_expired or message.is_read_out
        sent_at = datetime.fromtimestamp(message.sent_at, tz=UTC)
        today = datetime.fromtimestamp(self._state.now(), tz=UTC).date()
        return (
            criteria.Destination in {None, message.destination}
            and (criteria.Range is None or sent_at.date() == today)
            and (criteria.StartDate is None or sent_at >= criteria.StartDate)
            and (criteria.FinishDate is None or sent_at <= criteria.FinishDate)
        )


async def _criteria_of(request: Request) -> _Criteria:
    """Return what a body asks for.

    Raises:
        ValueError: The body is not as documented; the message says what is wrong.
    """
    body = await request.body()
    if _is_xml(request):
        given = {name: value for name, value in read_criteria(body).items() if value is not None}
        return msgspec.convert(given, _Criteria)
    return msgspec.json.decode(body or b"{}", type=_Criteria)


def _is_xml(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in _XML_TYPES


def _wants_xml(request: Request) -> bool:
    accept = request.headers.get("accept", "").lower()
    if any(media_type in accept for media_type in _JSON_TYPES):
        return False
    return _is_xml(request) or any(media_type in accept for media_type in _XML_TYPES)


def _reply(request: Request, value: dict[str, Any], *, root: str = "Response", status: int = 200) -> Response:
    if _wants_xml(request):
        return Response(xml_bytes(root, value), status, media_type=_XML)
    return answer(value, status=status)


def _error(request: Request, code: int, reason: str) -> Response:
    error: dict[str, Any] = {"ErrorCode": code, "ErrorReason": reason}
    return _reply(request, {"Error": error, "ResponseData": None})


def _response_data(removal: Removal) -> dict[str, Any]:
    return {
        "Identification": {"UserId": _USER_ID},
        "Result": "OK",
        "Detail": {
            "NoOfMessagesExpired": removal.expired,
            "NoOfMessagesDeleted": removal.deleted,
            "NumberOfCreditsUsed": 0,
            "NumberOfCreditsRemaining": _CREDITS,
        },
    }
