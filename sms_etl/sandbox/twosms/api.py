"""2SMS's two endpoints: the token, and the call that expires and deletes messages.

Errors of the second come inside HTTP 200. Without criteria it takes every message that has expired or was
read as often as allowed, as documented; with `MessageIDs` it looks at nothing else.

A body is JSON unless its `Content-Type` is XML or a form. The answer has the form that `Accept` names, JSON
before XML, and that of the body where it names neither (`*/*`); a form is answered in JSON. The samples show
no answer in XML: here its elements are named as in JSON, and what is null is left out.
"""

import secrets
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sms_etl.sandbox.lox24.answers import JSON, answer
from sms_etl.sandbox.storage.state import SandboxState
from sms_etl.sandbox.twosms.form import read_form
from sms_etl.sandbox.twosms.store import Removal, TwoSmsMessage
from sms_etl.sandbox.twosms.xml import read_criteria, xml_bytes

SANDBOX_CLIENT_ID = "sandbox"
SANDBOX_CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - a public constant that opens nothing but a sandbox
TOKEN_GOOD_FOR_S = 8 * 3600
_USER_ID = "sandbox-user"
_CREDITS_USED, _CREDITS_REMAINING = 0, Decimal("1000.35")
_TODAY, _BOTH = 0, 0
NO_FEATURE = 3
"""Our own number: the documentation names no `ErrorCode`."""
_XML, _XML_TYPES, _JSON_TYPES = "application/xml", ("application/xml", "text/xml"), (JSON, "text/json")
_FORM = "application/x-www-form-urlencoded"

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
        if _media_type(request) != _FORM:
            return answer({"error": "invalid_request"}, status=400)
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
        refusal = self._refusal(criteria)
        if refusal:
            return _error(request, *refusal)
        may_delete = self._state.switches.twosms_may_delete
        chosen = [message for message in self._state.twosms.messages() if self._is_meant(message, criteria)]
        removal = self._state.twosms.remove(chosen, with_contents=criteria.Delete and may_delete)
        self._state.keep()
        return _reply(request, {"Error": None, "ResponseData": _response_data(removal)})

    def _refusal(self, criteria: _Criteria) -> tuple[int, str] | None:
        """Return code and reason of the error that answers what is asked for; None if it is done."""
        switches = self._state.switches
        if switches.twosms_error_code:
            return switches.twosms_error_code, f"Nothing was done for {criteria.Destination}."
        if criteria.Range not in {None, _TODAY} or criteria.Type not in {None, _BOTH}:
            return 2, "Range or Type is not known."
        is_let_pass = switches.twosms_may_delete or switches.twosms_delete_without_feature == "ignored"
        if criteria.Delete and not is_let_pass:
            return NO_FEATURE, "The account may not delete messages."
        if _is_blank(criteria.Destination) and not switches.twosms_empty_is_no_criterion:
            return 4, "Destination is empty."
        return None

    def _is_meant(self, message: TwoSmsMessage, criteria: _Criteria) -> bool:
        if criteria.MessageIDs:
            return uuid.UUID(message.id) in criteria.MessageIDs
        destination = None if _is_blank(criteria.Destination) else criteria.Destination
        given = (destination, criteria.Range, criteria.StartDate, criteria.FinishDate, criteria.Type)
        if all(value is None for value in given):
            return message.is_expired or message.is_read_out
        sent_at = datetime.fromtimestamp(message.sent_at, tz=UTC)
        today = datetime.fromtimestamp(self._state.now(), tz=UTC).date()
        return (
            self._is_to(message, destination)
            and (criteria.Range is None or sent_at.date() == today)
            and (criteria.StartDate is None or sent_at >= criteria.StartDate)
            and (criteria.FinishDate is None or sent_at <= criteria.FinishDate)
        )

    def _is_to(self, message: TwoSmsMessage, destination: str | None) -> bool:
        if destination is None or destination == message.destination:
            return True
        return self._state.switches.twosms_destination == "partial" and destination in message.destination


def _is_blank(destination: str | None) -> bool:
    return destination is not None and not destination.strip()


async def _criteria_of(request: Request) -> _Criteria:
    """Return what a body asks for.

    Raises:
        ValueError: The body is not as documented; the message says what is wrong.
    """
    body = await request.body()
    if _is_xml(request):
        given = {name: value for name, value in read_criteria(body).items() if value is not None}
        return msgspec.convert(given, _Criteria)
    if _media_type(request) == _FORM:
        return msgspec.convert(read_form(body), _Criteria, strict=False)
    return msgspec.json.decode(body or b"{}", type=_Criteria)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_xml(request: Request) -> bool:
    return _media_type(request) in _XML_TYPES


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
            "NumberOfCreditsUsed": _CREDITS_USED,
            "NumberOfCreditsRemaining": _CREDITS_REMAINING,
        },
    }
