"""Deletes and cancels messages at the provider; bulks are in `bulk_writing.py`.

A deletion or a cancellation names its messages, so that it may be repeated, but then the count of the answer
no longer tells how many there were.
"""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from sms_etl.errors import BadAnswer, BadRequest, NotFound, ProviderDiffers
from sms_etl.providers.lox24.bulk_writing import BulkWriter
from sms_etl.providers.lox24.client import Answer, Request
from sms_etl.providers.lox24.listed import Listed, Rows
from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.paging import lone_row, read_row, uuids_query
from sms_etl.providers.lox24.records import UNREADABLE, Count
from sms_etl.providers.lox24.writes import Written, checked_uuid

_DELETE, _CANCEL = "/sms/ops/batch_delete", "/sms/ops/batch_cancel"


@dataclass(frozen=True, slots=True)
class BatchAnswer(Written):
    """An answer to a deletion or a cancellation of messages."""

    count: int
    """How many messages the last try changed; that is not all if an earlier answer was lost."""


class _Batch(msgspec.Struct):
    deleted_sms_count: Count
    """Cancelled ones too."""


class Lox24Writer(BulkWriter):
    """A client that may change all that the provider holds.

    `sms_etl.accounts.with_writer` opens one for code that is not asynchronous.
    """

    _is_filter_obeyed = False
    """Whether a listing by uuid has shown nothing but what it was asked for, to its end."""
    _is_list_obeyed = False
    """Whether one has shown two messages or more, so that of a list not only one counts."""

    async def read_message(self, uuid: UUID) -> msgspec.Raw | None:
        """Read a message as it is now; None if the provider says that there is none, as after a deletion.

        At a wrong address nothing is there: ask `account` first.

        Raises:
            ProviderError: See its subclasses.
        """
        try:
            return await self.get(f"/sms/{checked_uuid(uuid)}", (), read_row, piecewise=lone_row)
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
        return await self._delete(f"/sms/{checked_uuid(uuid)}")

    async def cancel_messages(self, ids: MessageIds) -> BatchAnswer:
        """Stop messages that are not sent yet; those that are sent stay sent. See `delete_messages`."""
        return await self._batch(_CANCEL, ids)

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


def _filter_not_obeyed(request_id: str | None) -> ProviderDiffers:
    return ProviderDiffers(
        "LOX24's listing does not obey its filter by uuid, which deleting and cancelling rely on.",
        hint="Nothing was deleted or cancelled. Ask the provider's support about `uuid[]` of GET /sms.",
        request_id=request_id,
    )
