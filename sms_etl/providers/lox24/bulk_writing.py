"""Creates, follows, cancels and deletes bulks, and looks for one whose answer was lost.

A bulk that is created twice is sent twice, and the API knows no key that would tell: nothing is sent again
before it was looked for.
"""

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID

from sms_etl.clock import to_unix
from sms_etl.errors import AnswerLost, BadRequest, NotCancellable, NotFound, ProviderDiffers, ProviderError
from sms_etl.providers.lox24.bulk_search import BulkSearch, Sought, search_result
from sms_etl.providers.lox24.bulks import (
    Bulk,
    BulkCode,
    BulkRequest,
    BulkStatus,
    read_bulk,
    read_status,
)
from sms_etl.providers.lox24.client import Answer, Request
from sms_etl.providers.lox24.listed import uuid_or_none
from sms_etl.providers.lox24.paging import ascending, between
from sms_etl.providers.lox24.writes import WritingClient, Written, checked_uuid

CLOCKS_DIFFER_BY = timedelta(minutes=5)
"""At most, between this machine and the provider."""

_BULKS, _DRY_RUN = "/bulks", "/bulks/dryrun"
_TAKEN = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
_MOST_PAGES = 1000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CreatedBulk(Written):
    """An answer to a bulk that was created or tried."""

    bulk: Bulk


class BulkWriter(WritingClient):
    """A client that sends a text to many recipients once."""

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
        return await _of_bulk(self.get(f"/bulks/{checked_uuid(uuid)}", (), read_bulk))

    async def bulk_status(self, uuid: UUID) -> BulkStatus:
        """Read how far a bulk is; see `read_bulk`."""
        return await _of_bulk(self.get(f"/bulks/{checked_uuid(uuid)}/status", (), read_status))

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
        request = Request(f"/bulks/{checked_uuid(uuid)}/cancel", method="PUT", accepts=_TAKEN)
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
        return await self._delete(f"{_BULKS}/{checked_uuid(uuid)}")

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


def _bulk_request(path: str, request: BulkRequest) -> Request:
    return Request(path, method="POST", body=request.body(), accepts=_TAKEN)


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
