"""Makes one request that changes something, and tells whether the provider may have carried it out.

A write is never repeated blindly: one that would do its work twice is repeated only if the provider cannot
have seen the request, or has said that it did not take it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from sms_etl.errors import (
    AccountNotActive,
    AnswerLost,
    AuthBlocked,
    BadRequest,
    NoFunds,
    NotFound,
    NotSent,
    ProviderError,
    Throttled,
    Unauthorised,
    UnexpectedRedirect,
)
from sms_etl.providers.lox24.client import Answer, Lox24Client, Query, Read, Request
from sms_etl.providers.lox24.paging import Page, read_page
from sms_etl.providers.lox24.salvage import Salvage
from sms_etl.providers.retrying import may_be_retried

_DELETED = frozenset({HTTPStatus.NO_CONTENT})
_REFUSALS = (
    AccountNotActive,
    AuthBlocked,
    BadRequest,
    NoFunds,
    NotFound,
    NotSent,
    Throttled,
    Unauthorised,
    UnexpectedRedirect,
)
_FIRST_PAGE = ("page", "1")

_Facts = tuple[int, str | None, int, bool]
"""The fields of `Written`."""


@dataclass(frozen=True, slots=True)
class Written:
    """An answer to a write."""

    status: int
    request_id: str | None
    attempts: int
    """How often the request was made."""
    has_lost_answer: bool
    """Whether an earlier try may have been carried out, its answer being lost."""


def may_have_acted(error: BaseException) -> bool:
    """Whether a write may have been carried out though it failed with an error."""
    if isinstance(error, ProviderError) and error.status == HTTPStatus.REQUEST_TIMEOUT:
        return True
    return not isinstance(error, _REFUSALS)


class WritingClient(Lox24Client):
    """A client that may also change something; reading and writing share one limiter.

    A 401 or 403 stops reading and writing alike.
    """

    async def _write(
        self, request: Request, read: Callable[[Answer], Read], *, is_repeatable: bool = True
    ) -> tuple[_Facts, Read]:
        """Make a request that changes something, and read its answer.

        Args:
            request: What is asked.
            read: Reads the answer; raises `BadAnswer` for what it does not know.
            is_repeatable: Whether the same once more changes nothing else.

        Raises:
            AnswerLost: A try may have been carried out, and none was answered.
            ProviderError: No try was carried out; the last one's error.
        """
        attempts = lost = 0

        async def once(retry: int) -> tuple[Answer, Read]:
            nonlocal attempts, lost
            attempts += 1
            try:
                answer = await self._once(request, retry)
                return answer, read(answer)
            except ProviderError as exc:
                lost += may_have_acted(exc)
                raise

        def is_worth_a_try(error: BaseException) -> bool:
            return may_be_retried(error) and (is_repeatable or not may_have_acted(error))

        try:
            answer, value = await self._tried(once, is_worth_a_try)
        except ProviderError as exc:
            if not lost:
                raise
            raise _answer_lost(exc, request, attempts, is_repeatable=is_repeatable) from exc
        return (answer.status, answer.request_id, attempts, lost > 0), value

    async def _delete(self, path: str) -> bool:
        try:
            await self._write(Request(path, method="DELETE", accepts=_DELETED), lambda _: None)
        except NotFound:
            return False
        except AnswerLost as exc:
            if not isinstance(exc.__cause__, NotFound):
                raise
        return True

    async def _page(self, path: str, query: Query) -> Page:
        try:
            return await self.get(path, query, read_page, page=int(query[-1][1]), piecewise=Salvage)
        except NotFound:
            if query[-1] == _FIRST_PAGE:
                raise
            return Page((), None, ())  # behind the last one


def _answer_lost(exc: ProviderError, request: Request, attempts: int, *, is_repeatable: bool) -> AnswerLost:
    next_step = (
        "Do it again: what is done already changes nothing."
        if is_repeatable
        else "Do not send it again before it was looked for among the account's bulks."
    )
    reason = "" if may_have_acted(exc) else f"{exc.hint} "  # an outage's hint says that nothing is lost
    return AnswerLost(
        f"Whether LOX24 carried out {request.method} {request.path} is not known. {exc.message}",
        hint=reason + next_step,
        status=exc.status,
        request_id=exc.request_id,
        retry_after=exc.retry_after,
        attempts=attempts,
    )


def checked_uuid(uuid: UUID) -> UUID:
    """Return a UUID that is to stand in a path; anything else might be another path."""
    if type(uuid) is not UUID:
        raise TypeError(f"give a UUID, not {type(uuid).__name__}")
    return uuid
