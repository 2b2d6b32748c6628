"""Looks for a person at the providers, and has what is found deleted there.

LOX24's filter by phone is partial: whoever's number contains the digits is found, and compared again here. At
2SMS nothing can be read: it is asked to delete whatever was sent to the number, and says how many that were.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from sms_etl.accounts import with_twosms, with_writer
from sms_etl.clock import as_utc
from sms_etl.erasure.subject import Subject
from sms_etl.errors import ProviderDiffers, ProviderError, SmsEtlError
from sms_etl.providers.lox24.client import Lox24Client, RequestRecord
from sms_etl.providers.lox24.listed import uuid_or_none
from sms_etl.providers.lox24.paging import ascending, read_page
from sms_etl.providers.lox24.records import UNREADABLE
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.providers.twosms.client import TwoSmsClient
from sms_etl.providers.twosms.criteria import ByDestination
from sms_etl.retention.applying import settle
from sms_etl.retention.deleting import Deleted, Deleter, Release
from sms_etl.retention.facts import LandedRows
from sms_etl.retention.ledger import Action, Event, Ledger, Operation, Place
from sms_etl.settings import Settings
from sms_etl.sync.state import recently_refused, write_requests

RULE = "erasure"
"""What the ledger names as the rule."""
AGAINST_ERASING = """case
    when facts.is_held then 'on_hold'
    when facts.is_waiting then 'in_quarantine'
    when not facts.is_landed then 'not_landed'
    when not facts.is_settled then 'not_settled'
    when not facts.is_priced and facts.created_at
        >= getvariable('retention_now') - to_days(getvariable('retention_settle_days')) then 'not_priced'
end"""
"""Why a message may not be deleted for its recipient: as for retention, but no month need be closed, and a
price that has not come by the time a message ages out is not waited for."""
_MOST_PAGES = 10_000
_BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
"""Where a search at 2SMS begins unless SMS_ETL_START says: before its first message."""
_NAMES_NOBODY = "Erasure on request."


@dataclass(frozen=True, slots=True)
class AtLox24:
    """What LOX24 holds of the person."""

    uuids: frozenset[str]
    bulks: frozenset[str] = frozenset()
    """The bulks they were sent with; each keeps the numbers it was sent to."""


class _Message(msgspec.Struct):
    uuid: str
    phone: str | None = None
    bulk_id: str | None = None


@dataclass(slots=True)
class TwoSmsDeletion:
    """What 2SMS says of its deletion."""

    state: str
    """`not_configured`, `done`, or `failed`."""
    expired: int = 0
    deleted: int = 0
    errors: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return {
            "state": self.state,
            "expired": self.expired,
            "deleted": self.deleted,
            "errors": self.errors,
        }


def search_lox24(settings: Settings, ledger: Ledger, subject: Subject) -> AtLox24:
    """Find the messages to the person at LOX24, whether or not they are stored here.

    Raises:
        SettingsError: There is no token.
        WrongAccount: It is of another account than the warehouse's.
        ProviderError: LOX24 could not be read.
    """

    async def search(writer: Lox24Writer) -> AtLox24:
        await _deleter(settings, ledger, writer).identify()
        found: dict[str, str | None] = {}
        for digits in subject.digits:
            for form in (digits, f"+{digits}"):
                found |= await _search(writer, form, digits, subject)
        return AtLox24(frozenset(found), frozenset(bulk for bulk in found.values() if bulk))

    requests: list[RequestRecord] = []
    try:
        is_refused = _recently_refused(settings, ledger)
        return with_writer(settings, search, recently_refused=is_refused, ledger=requests)
    finally:
        if requests:
            with ledger.warehouse.begin() as transaction:
                write_requests(transaction, uuid4(), requests)


async def _search(client: Lox24Client, form: str, digits: str, subject: Subject) -> dict[str, str | None]:
    """Return the uuids whose number is exactly one of the person's, with the bulk of each."""
    found: dict[str, str | None] = {}
    seen: set[str] = set()
    for number in range(1, _MOST_PAGES):
        page = await client.get(
            "/sms",
            (("phone", form), *ascending("created_at"), ("page", str(number))),
            read_page,
            page=number,
        )
        before = len(seen)
        for raw in page.rows:
            message = _read(raw)
            if message is None:
                continue
            if digits not in "".join(each for each in message.phone or "" if each.isdigit()):
                raise ProviderDiffers(
                    "LOX24 does not obey the filter by phone: it shows messages to other numbers.",
                    hint="Nothing was deleted. Report this; `--local` erases what is stored here.",
                )
            seen.add(message.uuid)
            if subject.is_number(message.phone):
                found[message.uuid] = message.bulk_id
        if not page.rows or len(seen) == before:  # a page shows nothing that an earlier one did not
            return found
    raise ProviderDiffers("LOX24's listing by phone does not end.", hint="Nothing was deleted. Report this.")


def _read(raw: msgspec.Raw) -> _Message | None:
    try:
        message = msgspec.json.decode(raw, type=_Message)
    except UNREADABLE:
        return None
    uuid = uuid_or_none(message.uuid)
    return None if uuid is None else msgspec.structs.replace(message, uuid=str(uuid))


def delete_at_lox24(
    settings: Settings, ledger: Ledger, uuids: Sequence[str], erasure_id: UUID
) -> tuple[Deleted, SmsEtlError | None]:
    """Have messages deleted that are proven; return what became of them, and the error that ended it early.

    What was deleted before an error is in the ledger, and marked in `raw.sms`.
    """
    deleted = Deleted()

    async def delete(writer: Lox24Writer) -> None:
        deleter = _deleter(settings, ledger, writer)
        await deleter.identify()
        deleted.add(await deleter.delete(uuids, Release(erasure_id, RULE, AGAINST_ERASING)))

    try:
        asyncio.run(settle(settings, ledger, ledger.unfinished()))  # of a run that was killed
        with_writer(settings, delete, recently_refused=_recently_refused(settings, ledger))
    except SmsEtlError as exc:
        return deleted, exc
    return deleted, None


def _recently_refused(settings: Settings, ledger: Ledger) -> bool:
    with ledger.warehouse.begin() as transaction:
        return recently_refused(transaction, as_utc(settings.clock()))


def _deleter(settings: Settings, ledger: Ledger, writer: Lox24Writer) -> Deleter:
    return Deleter(settings, ledger, writer, LandedRows.of(settings.landing_dir))


def delete_at_twosms(
    settings: Settings, ledger: Ledger, subject: Subject, erasure_id: UUID
) -> TwoSmsDeletion:
    """Have 2SMS delete what it holds of the person; what went wrong is in the result."""
    if settings.twosms_client_id is None:
        return TwoSmsDeletion("not_configured")
    result = TwoSmsDeletion("done")
    for number in subject.numbers:
        operation = Operation(uuid4(), Action.DELETE, Place.TWOSMS, RULE, erasure_id)
        with ledger.begin() as page:
            page.record(Event.INTENDED, operation, (), note="All messages to one number.")
        try:
            criteria = _all_messages_to(number, settings)

            async def delete(
                client: TwoSmsClient, criteria: ByDestination = criteria
            ) -> tuple[int, int, bool]:
                removal = await client.delete(criteria, contents=True, reason=_NAMES_NOBODY)
                return removal.expired, removal.deleted, removal.has_lost_answer

            expired, count, has_lost_answer = with_twosms(settings, delete)
        except (ProviderError, ValueError) as exc:
            said = exc.message if isinstance(exc, ProviderError) else "2SMS takes no such number."
            with ledger.begin() as page:
                page.record(Event.FAILED, operation, (), note=f"Not known to be done: {type(exc).__name__}.")
            result.state = "failed"
            result.errors.append(said)
            continue
        note = "An earlier try's answer was lost." if has_lost_answer else None
        with ledger.begin() as page:
            page.record(Event.DONE, operation, (), count=count, note=note)
        result.expired += expired
        result.deleted += count
    return result


def _all_messages_to(number: str, settings: Settings) -> ByDestination:
    finish = settings.clock() + timedelta(seconds=1)
    return ByDestination(number, min(settings.start or _BEFORE_ALL, finish - timedelta(days=1)), finish)
