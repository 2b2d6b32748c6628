"""What a run knows of the provider: what earlier runs found, what it finds, and what it comes to doubt."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sms_etl.errors import BadRequest, ProviderDiffers
from sms_etl.providers.lox24.client import Lox24Client
from sms_etl.sync.probe import probe, probe_bulks
from sms_etl.sync.provider_facts import (
    BULKS_UUID_FILTER,
    SMS_UUID_FILTER,
    Fact,
    KnownFacts,
    ProviderFacts,
    fact,
    write_facts,
)
from sms_etl.sync.streams import SMS, Stream
from sms_etl.warehouse.store import Transaction

_log = logging.getLogger(__name__)


class Knowledge:
    """What is known of the provider; a change is written with the next transaction.

    Args:
        known: What earlier runs found.
        clock: Stamps what is found.
    """

    def __init__(self, known: KnownFacts, clock: Callable[[], datetime]) -> None:
        self._known = known
        self._clock = clock
        self._is_written = True
        self.facts: ProviderFacts = known.for_reading()

    async def learn(self, client: Lox24Client, start: datetime | None) -> bool:
        """Probe the provider if facts are missing or in doubt; return whether there are new ones."""
        found: Sequence[Fact] = ()
        if self._known.are_due(self._clock()):
            found = (await probe(client, start=start, now=self._clock())).facts
            if found:
                self._keep(replace(self._known, facts=found))
        return bool(found)

    async def learn_of_bulks(self, client: Lox24Client, start: datetime | None) -> None:
        """The same for bulks, once messages are read: they may be refused, which must not stop messages."""
        if self._known.are_due_for_bulks():
            self._keep(self._known.with_fact(await probe_bulks(client, start=start, now=self._clock())))

    def note_uuids_disobeyed(self, stream: Stream, exc: ProviderDiffers | BadRequest) -> None:
        """Record that a listing cannot be filtered by uuids."""
        _log.info("Rows of %s are asked for one by one: %s", stream.path, exc.message)
        name = SMS_UUID_FILTER if stream is SMS else BULKS_UUID_FILTER
        self._keep(self._known.with_fact(fact(name, "rejected" if exc.status else "ignored")))

    def doubt(self, exc: BaseException) -> None:
        """Make the next run probe again if this run contradicts what was known."""
        if isinstance(exc, ProviderDiffers):
            self._known = KnownFacts()
            self._is_written = False

    def write(self, transaction: Transaction) -> None:
        """Write what was found since the last time."""
        if not self._is_written:
            self._is_written = True
            write_facts(transaction, self._known.facts, self._clock())

    def _keep(self, known: KnownFacts) -> None:
        self._known = known
        self.facts = known.for_reading()
        self._is_written = False
