"""2SMS's two endpoints: the token, and the call that expires and deletes messages.

Errors of the second come inside HTTP 200. Without criteria it takes every message that has expired or was
read as often as allowed, as documented; with `MessageIDs` it looks at nothing else.
"""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sms_etl.sandbox.answers import answer
from sms_etl.sandbox.state import SandboxState
from sms_etl.sandbox.twosms_store import Removal, TwoSmsMessage

SANDBOX_CLIENT_ID = "sandbox"
SANDBOX_CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - a public constant that opens nothing but a sandbox
TOKEN_GOOD_FOR_S = 8 * 3600
_USER_ID = "sandbox-user"
_CREDITS = 1000
_TODAY, _BOTH = 0, 0
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class _Criteria(msgspec.Struct, forbid_unknown_fields=True):
    """The documented body; nothing in it is required."""

    Destination: str | None = None
    MessageIDs: list[str] | None = None
    Range: int | None = None
    StartDate: Annotated[str, msgspec.Meta(pattern=r"^\d{4}(-\d\d){2}T(\d\d:){2}\d\dZ$")] | None = None
    FinishDate: Annotated[str, msgspec.Meta(pattern=r"^\d{4}(-\d\d){2}T(\d\d:){2}\d\dZ$")] | None = None
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
        """Give the routes."""
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
            return answer({"Message": "Authorization has been denied for this request."}, status=401)
        try:
            criteria = msgspec.json.decode(await request.body() or b"{}", type=_Criteria)
        except msgspec.DecodeError as exc:
            return _error(1, str(exc))
        if criteria.Range not in {None, _TODAY} or criteria.Type not in {None, _BOTH}:
            return _error(2, "Range or Type is not known.")
        if criteria.Delete and not self._state.switches.twosms_may_delete:
            return _error(3, "The account may not delete messages.")
        chosen = [message for message in self._state.twosms.messages() if self._is_meant(message, criteria)]
        removal = self._state.twosms.remove(chosen, with_contents=criteria.Delete)
        self._state.keep()
        return answer({"Error": None, "ResponseData": _response_data(removal)})

    def _is_meant(self, message: TwoSmsMessage, criteria: _Criteria) -> bool:
        if criteria.MessageIDs:
            return message.id in criteria.MessageIDs
        given = (criteria.Destination, criteria.Range, criteria.StartDate, criteria.FinishDate, criteria.Type)
        if all(value is None for value in given):
            return message.is_expired or message.is_read_out
        sent_at = datetime.fromtimestamp(message.sent_at, tz=UTC)
        today = datetime.fromtimestamp(self._state.now(), tz=UTC).date()
        return (
            criteria.Destination in {None, message.destination}
            and (criteria.Range is None or sent_at.date() == today)
            and (criteria.StartDate is None or sent_at.strftime(_TIME) >= criteria.StartDate)
            and (criteria.FinishDate is None or sent_at.strftime(_TIME) <= criteria.FinishDate)
        )


def _error(code: int, reason: str) -> Response:
    error: dict[str, Any] = {"ErrorCode": code, "ErrorReason": reason}
    return answer({"Error": error, "ResponseData": None})


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
