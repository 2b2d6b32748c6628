"""Finds what there is of a person: in the warehouse, in landed files, in quarantine, and at LOX24."""

# ruff: noqa: S608 - names are those of our own tables, values are parameters

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sms_etl.erasure.blanking import Eraser
from sms_etl.erasure.providers import AGAINST_ERASING, AtLox24
from sms_etl.erasure.subject import Subject
from sms_etl.pii.state import stored_pii
from sms_etl.retention.facts import FACTS, LandedRows, show_facts
from sms_etl.retention.reasons import Reason
from sms_etl.settings import Settings
from sms_etl.warehouse.store import Transaction

_OWN = """
select uuid from raw.sms where phone_hash in (select unnest(cast($hashes as varchar[])))
union
select uuid from raw.sms where uuid in (select unnest(cast($uuids as uuid[])))
"""


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is of the person, and what is to become of it."""

    eraser: Eraser = field(repr=False)
    erased: frozenset[str]
    """Messages that can be blanked here as they are: gone at the provider, or it is not asked."""
    deletable: frozenset[str]
    """Messages that have to be deleted at LOX24 first, and may be."""
    stays: Mapping[str, Reason]
    """Messages that stay, by uuid; stored or not."""
    others: int
    """Messages of others that name the number."""
    quarantined: int
    files: tuple[str, ...]
    """Landed files that hold anything of it, below the landing folder."""
    unreadable: tuple[str, ...]
    """Landed files that cannot be read, and may."""
    at_lox24: AtLox24 | None
    """None: not asked."""

    @property
    def messages(self) -> int:
        """Messages that are to be blanked."""
        return len(self.erased) + len(self.deletable)

    @property
    def held_back(self) -> dict[str, int]:
        """How many messages stay, by reason."""
        counts: dict[str, int] = {}
        for reason in self.stays.values():
            counts[reason.value] = counts.get(reason.value, 0) + 1
        return counts

    def as_text(self) -> str:
        """Return all of it as a text that is the same as long as nothing has changed."""
        parts = [
            ",".join(self.eraser.subject.numbers),
            ",".join(sorted(self.erased)),
            ",".join(sorted(self.deletable)),
            ",".join(f"{uuid}={reason}" for uuid, reason in sorted(self.stays.items())),
            str(self.others),
            str(self.quarantined),
            ",".join(self.files),
            ",".join(self.unreadable),
            "not asked" if self.at_lox24 is None else ",".join(sorted(self.at_lox24.uuids)),
        ]
        return "|".join(parts)


def survey(
    transaction: Transaction, settings: Settings, subject: Subject, at_lox24: AtLox24 | None
) -> Survey:
    """Look at everything that is stored.

    Args:
        transaction: To read in.
        settings: Of the data directory.
        subject: The person.
        at_lox24: What LOX24 holds; None: it is not asked, and what is stored goes without it.

    Raises:
        WrongKey: The key is not that of the hashes: nobody could be found by it.
        PolicyNotApplied: A change of policy or key has to be carried out first.
        NoWarehouse: The models were never built.
    """
    eraser = Eraser(subject, stored_pii(transaction.native, settings))
    there = at_lox24.uuids if at_lox24 else frozenset()
    show_facts(
        transaction,
        settings,
        LandedRows.of(settings.landing_dir),
        asked=_OWN,
        parameters={"hashes": list(eraser.hashes), "uuids": sorted(there)},
        now=settings.clock(),
        dispute_days=0,
    )
    erased, deletable, stays = _divided(transaction, at_lox24)
    stays |= _not_stored(transaction, there)
    files, unreadable = _landed(settings, eraser, uuids=erased | deletable, but_not=stays)
    return Survey(
        eraser=eraser,
        erased=frozenset(erased),
        deletable=frozenset(deletable),
        stays=stays,
        others=eraser.count_others(transaction, but_not=stays),
        quarantined=eraser.count_quarantined(transaction, but_not=stays),
        files=files,
        unreadable=unreadable,
        at_lox24=at_lox24,
    )


def _divided(
    transaction: Transaction, at_lox24: AtLox24 | None
) -> tuple[set[str], set[str], dict[str, Reason]]:
    """Return the stored messages that can be blanked, that can once they are deleted, and that stay."""
    rows = transaction.native.execute(
        f"select cast(uuid as varchar), is_gone, is_held, {AGAINST_ERASING} from {FACTS} as facts"
    ).fetchall()
    erased: set[str] = set()
    deletable: set[str] = set()
    stays: dict[str, Reason] = {}
    for uuid, is_gone, is_held, reason in rows:
        if is_held:
            stays[uuid] = Reason.ON_HOLD
        elif at_lox24 is None or (is_gone and uuid not in at_lox24.uuids):
            erased.add(uuid)
        elif is_gone:
            stays[uuid] = Reason.DIFFERS  # it is there again: a sync has to see that first
        elif reason is not None:
            stays[uuid] = Reason(reason)
        else:
            deletable.add(uuid)
    return erased, deletable, stays


def _not_stored(transaction: Transaction, there: Collection[str]) -> dict[str, Reason]:
    """Return the messages that LOX24 has and the warehouse has not: nothing is deleted that is not stored."""
    rows = transaction.native.execute(
        f"""
        select cast(found.uuid as varchar), quarantine.uuid is not null
        from (select unnest(cast($uuids as uuid[])) as uuid) as found
        anti join {FACTS} as facts on found.uuid = facts.uuid
        left join (
            select distinct try_cast(uuid as uuid) as uuid from ops.quarantine where stream = 'sms'
        ) as quarantine on found.uuid = quarantine.uuid
        """,
        {"uuids": sorted(there)},
    ).fetchall()
    return {uuid: Reason.IN_QUARANTINE if waits else Reason.NOT_STORED for uuid, waits in rows}


def _landed(
    settings: Settings, eraser: Eraser, *, uuids: Collection[str], but_not: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the landed files that hold anything of the person, and of unreadable ones."""
    files: list[str] = []
    unreadable: list[str] = []
    for path in sorted(settings.landing_dir.glob("*/*.parquet")):
        name = _name_below(path, settings)
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException):
            unreadable.append(name)
            continue
        if not eraser.blanked_table(table, uuids=uuids, but_not=but_not).equals(table):
            files.append(name)
    return tuple(files), tuple(unreadable)


def _name_below(path: Path, settings: Settings) -> str:
    return str(path.relative_to(settings.landing_dir))
