"""Removes landed files that rules released: written to the ledger before, and looked for afterwards.

A landed file is the resume point of a sync until it is loaded, and the proof of what was loaded until its
messages are deleted. Only files that were loaded are removed, and `ops.fetch_window` still names them.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

from sms_etl.files import make_durable
from sms_etl.retention.facts import FACTS, LandedRows, show_facts
from sms_etl.retention.ledger import Action, Event, Ledger, Operation, Outcome, Place
from sms_etl.retention.reasons import Reason
from sms_etl.settings import Settings
from sms_etl.sync.streams import SMS
from sms_etl.warehouse.store import Transaction

BATCH = 50
_OF_FILES = """
select distinct uuid from retention_landed
where uuid is not null and list_contains(cast($files as varchar[]), file)
"""


class Remover:
    """Removes landed files of messages.

    Args:
        settings: Name the landing folder.
        ledger: What is done is written there.
        landed: The landed rows.
    """

    def __init__(self, settings: Settings, ledger: Ledger, landed: LandedRows) -> None:
        self._settings = settings
        self._ledger = ledger
        self._landed = landed

    def remove(
        self,
        files: Sequence[str],
        *,
        plan_id: UUID,
        rule: str,
        against: str,
        dispute_days: int,
    ) -> tuple[list[str], dict[str, Reason]]:
        """Remove files, but those of which a row must stay now.

        Returns:
            The names of those that are gone, and why the others are not.

        Raises:
            WarehouseError: The ledger could not be written.
        """
        removed: list[str] = []
        skipped: dict[str, Reason] = {}
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            operation = Operation(uuid4(), Action.REMOVE, Place.LANDING, rule, plan_id)
            with self._ledger.begin() as page:
                kept = self._kept(page.transaction, batch, against, dispute_days)
                skipped.update(kept)
                going = [name for name in batch if name not in kept]
                if going:
                    page.record(Event.INTENDED, operation, going)
            if not going:
                continue
            for name in going:
                with suppress(OSError):  # what is still there afterwards is told so
                    self._path(name).unlink(missing_ok=True)
            gone, there = self._look_for(operation, going, None)
            removed += gone
            skipped.update(dict.fromkeys(there, Reason.NOT_REMOVED))
        return removed, skipped

    def settle(self, outcome: Outcome) -> None:
        """Look which files are gone whose removal was begun, and complete the ledger."""
        self._look_for(outcome.operation, outcome.left, "Looked up by a later run.")

    def _look_for(
        self, operation: Operation, names: Sequence[str], note: str | None
    ) -> tuple[list[str], list[str]]:
        with suppress(OSError):
            make_durable(self._settings.landing_dir / SMS.name)
        there = [name for name in names if self._path(name).exists()]
        gone = [name for name in names if name not in set(there)]
        with self._ledger.begin() as page:
            if gone:
                page.record(Event.CONFIRMED, operation, gone, note=note)
            if there:
                page.record(Event.FAILED, operation, there, note=note or "They are still there.")
        return gone, there

    def _kept(
        self, transaction: Transaction, files: Sequence[str], against: str, dispute_days: int
    ) -> dict[str, Reason]:
        """Return why files must stay now, by name: a hold may have been added since the plan was made."""
        show_facts(
            transaction,
            self._settings,
            self._landed.of_files(files),
            asked=_OF_FILES,
            parameters={"files": list(files)},
            now=self._settings.clock(),
            dispute_days=dispute_days,
        )
        rows = transaction.native.execute(
            f"""
            select landed.file, min({against})
            from retention_landed as landed inner join {FACTS} as facts on landed.uuid = facts.uuid
            where list_contains(cast($files as varchar[]), landed.file)
            group by landed.file
            """,  # noqa: S608 - our own SQL
            {"files": list(files)},
        ).fetchall()
        return {name: Reason(reason) for name, reason in rows if reason is not None}

    def _path(self, name: str) -> Path:
        return self._settings.landing_dir / SMS.name / name
