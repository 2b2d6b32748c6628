"""Numbers that must not be written to, kept as keyed hashes alone: `<data dir>/seeds/opt_outs.csv`.

The file has a column `phone_hash`, as `raw.sms.phone_hash` has it, and `key_fingerprint`: hashes of another
key would match nobody, and everybody who opted out would be written to.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sms_etl.campaigns.opt_out_file import opt_outs_path, read_hashes
from sms_etl.campaigns.recipient_file import read_number_file
from sms_etl.campaigns.recipients import BadRow, Recipients, recipients_of
from sms_etl.files import write_private
from sms_etl.pii.key import fingerprint
from sms_etl.pii.policy import Pii
from sms_etl.pii.state import hold
from sms_etl.settings import Settings
from sms_etl.sync.lock import only_one_campaign
from sms_etl.warehouse.store import Warehouse

_COLUMNS = ("phone_hash", "key_fingerprint")


@dataclass(frozen=True, slots=True)
class AddedOptOuts:
    """What became of the numbers of a file."""

    path: Path
    added: int
    already_there: int
    invalid: tuple[BadRow, ...]
    total: int
    columns: tuple[str, ...] = ()
    """The headings they stood under: all that are of numbers."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "path": str(self.path),
            "added": self.added,
            "already_there": self.already_there,
            "invalid": len(self.invalid),
            "opted_out": self.total,
            "columns": list(self.columns),
        }


class OptOuts:
    """The hashes of those who opted out.

    Args:
        hashes: 32 hex digits each.
        pii: What hashes a number.
    """

    def __init__(self, hashes: Iterable[str], pii: Pii) -> None:
        self.hashes = frozenset(hashes)
        self._hash_of = pii.hash_of

    def left_in(self, numbers: Iterable[str]) -> tuple[str, ...]:
        """Return the numbers, in E.164, that did not opt out."""
        return tuple(number for number in numbers if self._hash_of(number) not in self.hashes)


def read_opt_outs(settings: Settings, pii: Pii) -> OptOuts:
    """Read who opted out; nobody, if there is no file.

    Raises:
        CampaignRefused: A line holds no hash, or the hash of another key. Nobody is left out of the list in
            silence.
        DataDirError: The file cannot be read.
    """
    return OptOuts(read_hashes(opt_outs_path(settings), fingerprint(pii.key, pii.retired)), pii)


def count_opt_outs(settings: Settings, warehouse: Warehouse) -> tuple[Path, int]:
    """Return the file, and how many hashes are in it.

    Raises:
        CampaignRefused: As `read_opt_outs`.
        SettingsError, WarehouseError: The warehouse has another key, or cannot be opened.
    """
    with warehouse.begin() as transaction:
        pii = hold(transaction, settings)
    return opt_outs_path(settings), len(read_opt_outs(settings, pii).hashes)


def add_opt_outs(settings: Settings, file: Path, country: str, warehouse: Warehouse) -> AddedOptOuts:
    """Add the numbers of a CSV file to those who opted out; only their keyed hashes are kept.

    Args:
        settings: Whose data directory.
        file: As in `read_recipients`; of several columns of numbers each is read, for nobody is to be missed.
        country: Where numbers with one leading zero are of.
        warehouse: Whose key hashes them: its hashes and these have to match.

    Raises:
        CampaignRefused: The file, or the one that is there already, cannot be read.
        AlreadyRunning: Another command reads or writes them.
        SettingsError, WarehouseError: The warehouse has another key, or cannot be opened.
        DataDirError: The file cannot be written; the old one stays.
    """
    read = read_number_file(file)
    found = recipients_of(read.all_of_each(), country)
    with only_one_campaign(settings):
        with warehouse.begin() as transaction:
            pii = hold(transaction, settings)
        return replace(_add(settings, pii, found), columns=tuple(read.names))


def _add(settings: Settings, pii: Pii, found: Recipients) -> AddedOptOuts:
    before = read_opt_outs(settings, pii).hashes
    new = {pii.hash_of(number) for number in found.numbers}
    path, key_fingerprint = opt_outs_path(settings), fingerprint(pii.key, pii.retired)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((each, key_fingerprint) for each in sorted(before | new))  # sorted: tells no order
    write_private(path, written.getvalue().encode())
    return AddedOptOuts(path, len(new - before), len(new & before), found.invalid, len(before | new))
