"""Numbers that must not be written to, kept as keyed hashes alone: `<data dir>/seeds/opt_outs.csv`.

The file has a column `phone_hash`, as `raw.sms.phone_hash` has it, and `key_fingerprint`: hashes of another
key would match nobody, and everybody who opted out would be written to.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sms_etl.campaigns.recipients import BadRow, Recipients, numbers_in, recipients_of
from sms_etl.errors import CampaignRefused
from sms_etl.files import unusable, write_private
from sms_etl.pii.key import fingerprint
from sms_etl.pii.policy import Pii
from sms_etl.pii.state import hold
from sms_etl.settings import Settings
from sms_etl.sync.lock import only_one_campaign
from sms_etl.warehouse.store import Warehouse

FILE = "opt_outs.csv"
_COLUMNS = ("phone_hash", "key_fingerprint")
_HASH = re.compile(r"[0-9a-f]{32}")
_HOW_TO_ADD = (
    "`sms-etl bulks opt-outs add FILE` makes it from a CSV of numbers; docs/campaigns.md shows the format."
)


@dataclass(frozen=True, slots=True)
class AddedOptOuts:
    """What became of the numbers of a file."""

    path: Path
    added: int
    already_there: int
    invalid: tuple[BadRow, ...]
    total: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "path": str(self.path),
            "added": self.added,
            "already_there": self.already_there,
            "invalid": len(self.invalid),
            "opted_out": self.total,
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


def opt_outs_path(settings: Settings) -> Path:
    """Return where the file lies, whether or not there is one."""
    return settings.data_dir / "seeds" / FILE


def read_opt_outs(settings: Settings, pii: Pii) -> OptOuts:
    """Read who opted out; nobody, if there is no file.

    Raises:
        CampaignRefused: A line holds no hash, or the hash of another key. Nobody is left out of the list in
            silence.
    """
    path = opt_outs_path(settings)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return OptOuts((), pii)
    except OSError as exc:
        raise unusable(path, exc, "The opt-outs {path} cannot be read") from exc
    except UnicodeDecodeError as exc:
        raise CampaignRefused(f"{path} is not UTF-8.", hint=_HOW_TO_ADD) from exc
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        return OptOuts((), pii)
    return OptOuts(_hashes(path, lines, fingerprint(pii.key, pii.retired)), pii)


def _hashes(path: Path, lines: list[tuple[int, str]], key_fingerprint: str) -> list[str]:
    delimiter = ";" if ";" in lines[0][1] else ","
    rows = [(number, next(csv.reader([line], delimiter=delimiter))) for number, line in lines]
    names = [name.strip().lower() for name in rows[0][1]]
    if "phone_hash" not in names:
        raise CampaignRefused(f"{path}:{rows[0][0]}: there is no column phone_hash.", hint=_HOW_TO_ADD)
    place = names.index("phone_hash")
    of_key = names.index("key_fingerprint") if "key_fingerprint" in names else None
    hashes = []
    for number, fields in rows[1:]:
        found = fields[place].strip().lower() if place < len(fields) else ""
        if not _HASH.fullmatch(found):
            raise CampaignRefused(
                f"{path}:{number}: phone_hash is no keyed hash of 32 hex digits.",
                hint="Numbers in clear do not belong there. Delete the line, and add the number by "
                "`sms-etl bulks opt-outs add FILE`; docs/campaigns.md shows the format.",
            )
        made_by = fields[of_key].strip() if of_key is not None and of_key < len(fields) else ""
        if made_by and made_by != key_fingerprint:
            raise CampaignRefused(
                f"{path}:{number}: its hash was made by another key ({made_by}; yours is {key_fingerprint}).",
                hint="It would match nobody. Move the file away and add the numbers again from where you "
                "keep them: `sms-etl bulks opt-outs add FILE`.",
            )
        hashes.append(found)
    return hashes


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
        file: As in `read_recipients`.
        country: Where numbers with one leading zero are of.
        warehouse: Whose key hashes them: its hashes and these have to match.

    Raises:
        CampaignRefused: The file, or the one that is there already, cannot be read.
        AlreadyRunning: Another command reads or writes them.
        SettingsError, WarehouseError: The warehouse has another key, or cannot be opened.
        DataDirError: The file cannot be written; the old one stays.
    """
    found = recipients_of(numbers_in(file), country)
    with only_one_campaign(settings):
        with warehouse.begin() as transaction:
            pii = hold(transaction, settings)
        return _add(settings, pii, found)


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
