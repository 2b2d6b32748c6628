"""Changes what the provider holds: deletes and cancels messages, creates and cancels bulks.

A write is never repeated blindly. A deletion or a cancellation names its messages, so that it may be
repeated, but then the count of the answer no longer tells how many there were. A bulk would be sent twice, so
that it is repeated only if the provider cannot have seen the request, or has said that it did not take it.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID

import msgspec

from sms_etl.clock import to_unix
from sms_etl.errors import (
    AccountNotActive,
    AnswerLost,
    AuthBlocked,
    BadAnswer,
    BadRequest,
    NoFunds,
    NotCancellable,
    NotFound,
    NotSent,
    ProviderDiffers,
    ProviderError,
    Throttled,
    Unauthorised,
    UnexpectedRedirect,
)
from sms_etl.providers.lox24.bulk_search import BulkSearch, Sought, search_result
from sms_etl.providers.lox24.bulks import (
    Bulk,
    BulkCode,
    BulkRequest,
    BulkStatus,
    read_bulk,
    read_status,
)
from sms_etl.providers.lox24.client import Answer, Lox24Client, Query, Read, Request
from sms_etl.providers.lox24.listed import Listed, Rows, uuid_or_none
from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.paging import (
    Page,
    ascending,
    between,
    lone_row,
    read_page,
    read_row,
    uuids_query,
)
from sms_etl.providers.lox24.records import UNREADABLE, Count
from sms_etl.providers.lox24.salvage import Salvage
from sms_etl.providers.retrying import may_be_retried

CLOCKS_DIFFER_BY = timedelta(minutes=5)
"""At most, between this machine and the provider."""

_DELETE, _CANCEL = "/sms/ops/batch_delete", "/sms/ops/batch_cancel"
_BULKS, _DRY_RUN = "/bulks", "/bulks/dryrun"
_TAKEN = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
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
_MOST_PAGES = 1000

_Facts = tuple[int, str | None, int, bool]
"""The fields of `Written`."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Written:
    """An answer to a write."""

    status: int
    request_id: str | None
    attempts: int
    """How often the request was made."""
    has_lost_answer: bool
    """Whether an earlier try may have been carried out, its answer being lost."""


@dataclass(frozen=True, slots=True)
class BatchAnswer(Written):
    """An answer to a deletion or a cancellation of messages."""

    count: int
    """How many messages the last try changed; that is not all if an earlier answer was lost."""


@dataclass(frozen=True, slots=True)
class CreatedBulk(Written):
    """An answer to a bulk that was created or tried."""

    bulk: Bulk


class _Batch(msgspec.Struct):
    deleted_sms_count: Count
    """Cancelled ones too."""


def may_have_acted(error: BaseException) -> bool:
    """Whether a write may have been carried out though it failed with an error."""
    if isinstance(error, ProviderError) and error.status == HTTPStatus.REQUEST_TIMEOUT:
        return True
    return not isinstance(error, _REFUSALS)


class Lox24Writer(Lox24Client):
    """A client that may also change what the provider holds; reading and writing share one limiter.

    A 401 or 403 stops reading and writing alike. `sms_etl.accounts.with_writer` opens one for code that is
    not asynchronous.
    """

    _is_filter_obeyed = False
    """Whether a listing by uuid has shown nothing but what it was asked for, to its end."""
    _is_list_obeyed = False
    """Whether one has shown two messages or more, so that of a list not only one counts."""

    # Messages

    async def read_message(self, uuid: UUID) -> msgspec.Raw | None:
        """Read a message as it is now; None if the provider says that there is none, as after a deletion.

        At a wrong address nothing is there: ask `account` first.

        Raises:
            ProviderError: See its subclasses.
        """
        try:
            return await self.get(f"/sms/{_uuid(uuid)}", (), read_row, piecewise=lone_row)
        except NotFound:
            return None

    async def read_messages(self, ids: MessageIds) -> Rows:
        """Read those messages that are there, as they are now; what is missing was deleted.

        A message is missing only if the provider said so. Where its listing is not to be relied on (it does
        not obey the filter, has not yet shown two messages of one list, or has several pages without a stable
        order), each message that is not in it is asked for by itself.

        Raises:
            ProviderError: See its subclasses.
        """
        try:
            listed = await self._listed(ids)
        except BadRequest:
            listed = None
        rows = listed.rows if listed else {}
        is_whole = listed is not None and listed.is_whole(ids) and self._is_list_obeyed
        for uuid in () if is_whole else [uuid for uuid in ids if uuid not in rows]:
            row = await self.read_message(uuid)
            if row is not None:
                rows[uuid] = row
        return {uuid: rows[uuid] for uuid in ids if uuid in rows}

    async def delete_messages(self, ids: MessageIds) -> BatchAnswer:
        """Delete messages for good, sent or not; they vanish from the itemised bill too.

        Before the first batch call, the listing is asked whether it obeys the same filter: a provider that
        does not might take every message of the account.

        Raises:
            AnswerLost: They may be deleted or not. To do it again is safe; so is to look by `read_messages`.
            ProviderDiffers: The listing does not obey the filter; nothing was deleted.
            ProviderError: Nothing was deleted; see its subclasses.
        """
        return await self._batch(_DELETE, ids)

    async def delete_message(self, uuid: UUID) -> bool:
        """Delete one message by its address, where the filter of the batch call is not to be relied on.

        Returns:
            False if there was none (any more).

        Raises:
            AnswerLost: It may be deleted or not. To do it again is safe.
            ProviderError: It was not deleted; see its subclasses.
        """
        return await self._delete(f"/sms/{_uuid(uuid)}")

    async def cancel_messages(self, ids: MessageIds) -> BatchAnswer:
        """Stop messages that are not sent yet; those that are sent stay sent. See `delete_messages`."""
        return await self._batch(_CANCEL, ids)

    # Bulks

    async def create_bulk(self, request: BulkRequest) -> CreatedBulk:
        """Send a text to several recipients.

        Raises:
            AnswerLost: It may have been created or not: `find_bulk` looks. Never create it again before.
            BadRequest: It was refused; the message names the fields.
            NoFunds: The balance is not sufficient.
            ProviderError: It was not created; see its subclasses.
        """
        facts, bulk = await self._write(_bulk_request(_BULKS, request), read_bulk, is_repeatable=False)
        return CreatedBulk(*facts, bulk=bulk)

    async def dry_run(self, request: BulkRequest) -> CreatedBulk:
        """Have a bulk checked without sending it.

        Its count and cost may come later: ask `bulk_status` until it is not open any more.

        Raises:
            BadRequest: It was refused; the message names the fields.
            ProviderError: See its subclasses. Nothing was sent in any case.
        """
        facts, bulk = await self._write(_bulk_request(_DRY_RUN, request), read_bulk)
        return CreatedBulk(*facts, bulk=bulk)

    async def read_bulk(self, uuid: UUID) -> Bulk:
        """Read a bulk in full.

        Raises:
            NotFound: The account has no such bulk.
            ProviderError: See its other subclasses.
        """
        return await _of_bulk(self.get(f"/bulks/{_uuid(uuid)}", (), read_bulk))

    async def bulk_status(self, uuid: UUID) -> BulkStatus:
        """Read how far a bulk is; see `read_bulk`."""
        return await _of_bulk(self.get(f"/bulks/{_uuid(uuid)}/status", (), read_status))

    async def cancel_bulk(self, uuid: UUID) -> BulkStatus:
        """Stop what a bulk has not sent yet; what it has sent stays sent. A cancelled one stays cancelled.

        Returns:
            How far it got.

        Raises:
            NotCancellable: It has ended in another way.
            NotFound: The account has no such bulk.
            AnswerLost: It may be cancelled or not. To do it again is safe.
            ProviderError: It was not cancelled; see its subclasses.
        """
        request = Request(f"/bulks/{_uuid(uuid)}/cancel", method="PUT", accepts=_TAKEN)
        try:
            _, status = await _of_bulk(self._write(request, _status_or_none))
        except BadRequest as exc:
            status = await self.bulk_status(uuid)
            if status.status_code != BulkCode.CANCELLED:
                raise _not_cancellable(exc, status) from exc
        except AnswerLost as exc:
            status = await self._status_if_known(uuid)
            if status is None or (status.is_open and not isinstance(exc.__cause__, BadRequest)):
                raise
            if status.status_code != BulkCode.CANCELLED:
                raise _not_cancellable(exc, status) from exc
        return status or await self.bulk_status(uuid)

    async def delete_bulk(self, uuid: UUID) -> bool:
        """Delete a bulk's own data (recipients, text); its messages stay.

        Returns:
            False if there was none (any more).

        Raises:
            AnswerLost: It may be deleted or not. To do it again is safe.
            ProviderError: It was not deleted; see its subclasses.
        """
        return await self._delete(f"{_BULKS}/{_uuid(uuid)}")

    async def find_bulk(
        self,
        since: datetime,
        sender: str,
        text: str,
        count: int,
        *,
        phones: Collection[str] | None = None,
        apart_from: Collection[UUID] = (),
    ) -> BulkSearch:
        """Look for a bulk that may have been created, its answer being lost.

        Args:
            since: Just before it was to be created, by this machine's clock.
            sender: Its sender.
            text: Its text.
            count: How many recipients it has.
            phones: Its recipients in E.164, where they are still known: a surer sign than their number.
            apart_from: Bulks that are known to be others, such as earlier ones with the same text.

        Raises:
            ProviderError: See its subclasses.
        """
        sought = Sought(sender, text, count, phones)
        earliest = to_unix(since - CLOCKS_DIFFER_BY)
        candidates = []
        for uuid in await self._bulks_since(earliest):
            if uuid in apart_from:
                continue
            try:
                bulk = await self.read_bulk(uuid)
            except NotFound:  # deleted meanwhile
                continue
            candidates.append((bulk, sought.likeness(bulk)))
        return search_result(candidates)

    # What they have in common

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
            raise _answer_lost(exc, request, attempts) from exc
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

    async def _batch(self, path: str, ids: MessageIds) -> BatchAnswer:
        if type(ids) is not MessageIds:
            raise TypeError(f"give MessageIds, not {type(ids).__name__}")
        await self._assure_that_the_filter_is_obeyed(ids)
        request = Request(path, ids.query(), method="POST", ids=ids)
        facts, count = await self._write(request, _read_count)
        return BatchAnswer(*facts, count=count)

    async def _assure_that_the_filter_is_obeyed(self, ids: MessageIds) -> None:
        if self._is_filter_obeyed:
            return
        try:
            listed = await self._listed(ids, to_the_end=True)
        except BadRequest as exc:
            raise _filter_not_obeyed(exc.request_id) from exc
        if listed.others or not listed.is_ended:
            raise _filter_not_obeyed(None)
        self._is_filter_obeyed = True

    async def _listed(self, ids: MessageIds, *, to_the_end: bool = False) -> Listed:
        """List messages by the filter that a batch call takes.

        Args:
            ids: Which.
            to_the_end: Read on until a page is empty, whatever the total says.
        """
        listed = Listed()
        uuids = [str(uuid) for uuid in ids]
        while listed.pages <= len(ids) and not listed.others:
            page = await self._page("/sms", uuids_query(uuids, listed.pages + 1))
            listed.add(page, ids)
            if listed.is_ended or (not to_the_end and listed.is_whole(ids)):
                break
        self._is_list_obeyed |= len(listed.rows) > 1 and not listed.others
        return listed

    async def _bulks_since(self, earliest: int) -> Sequence[UUID]:
        """Return the bulks created since a second; all of them are read, whatever the listing obeys."""
        found: dict[UUID, None] = {}
        for number in range(1, _MOST_PAGES + 1):
            query = (
                *between("created_at", earliest, None),
                *ascending("created_at"),
                ("page", str(number)),
            )
            page = await self._page(_BULKS, query)
            late = [keys for keys in page.keys if keys.created_at is None or keys.created_at >= earliest]
            uuids = [uuid_or_none(keys.uuid) for keys in late]
            known = len(found)
            found.update((uuid, None) for uuid in uuids if uuid is not None)
            if None in uuids:
                raise _bulks_not_listed()
            if not page.rows or (late and len(found) == known):  # the same page again
                return list(found)
        raise _bulks_not_listed()

    async def _status_if_known(self, uuid: UUID) -> BulkStatus | None:
        try:
            return await self.bulk_status(uuid)
        except ProviderError:
            return None

    async def _page(self, path: str, query: Query) -> Page:
        try:
            return await self.get(path, query, read_page, page=int(query[-1][1]), piecewise=Salvage)
        except NotFound:
            if query[-1] == _FIRST_PAGE:
                raise
            return Page((), None, ())  # behind the last one


def _bulk_request(path: str, request: BulkRequest) -> Request:
    return Request(path, method="POST", body=request.body(), accepts=_TAKEN)


def _read_count(answer: Answer) -> int:
    try:
        return msgspec.json.decode(answer.body, type=_Batch).deleted_sms_count
    except UNREADABLE as exc:
        raise BadAnswer(
            "An answer of LOX24 does not say how many messages were changed.",
            hint="Report this to the provider's support with the request id.",
            status=answer.status,
            request_id=answer.request_id,
        ) from exc


def _status_or_none(answer: Answer) -> BulkStatus | None:
    """Read what a cancelled bulk is like; None from an answer without content."""
    return None if answer.status == HTTPStatus.NO_CONTENT else read_status(answer)


def _bulks_not_listed() -> ProviderDiffers:
    return ProviderDiffers(
        "LOX24's list of bulks cannot be read to its end, so the one that is looked for may be missed.",
        hint="Look in LOX24's web account whether the bulk was created.",
    )


async def _of_bulk(asked: Awaitable[_T]) -> _T:
    try:
        return await asked
    except NotFound as exc:
        raise NotFound(
            "The account has no such bulk.",
            hint="Check its id, and that SMS_ETL_LOX24_TOKEN is the account's that sent it.",
            status=exc.status,
            request_id=exc.request_id,
        ) from exc


def _not_cancellable(exc: ProviderError, status: BulkStatus) -> NotCancellable:
    return NotCancellable(
        f"The bulk cannot be cancelled: its status is {status.status_code}.",
        hint="Only a bulk that is new (0) or in progress (5) can be; what it sent stays sent.",
        status=exc.status,
        request_id=exc.request_id,
    )


def _filter_not_obeyed(request_id: str | None) -> ProviderDiffers:
    return ProviderDiffers(
        "LOX24's listing does not obey its filter by uuid, which deleting and cancelling rely on.",
        hint="Nothing was deleted or cancelled. Ask the provider's support about `uuid[]` of GET /sms.",
        request_id=request_id,
    )


def _answer_lost(exc: ProviderError, request: Request, attempts: int) -> AnswerLost:
    next_step = (
        "Do not send it again before it was looked for among the account's bulks."
        if request.path == _BULKS
        else "Do it again: what is done already changes nothing."
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


def _uuid(uuid: UUID) -> UUID:
    """Return a UUID that is to stand in a path; anything else might be another path."""
    if type(uuid) is not UUID:
        raise TypeError(f"give a UUID, not {type(uuid).__name__}")
    return uuid
