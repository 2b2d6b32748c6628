"""Reads the file of those who opted out, `<data dir>/seeds/opt_outs.csv`: a keyed hash a line, no number.

It imports little: `sms-etl status` looks at the file, too.
"""

import csv
import re
from pathlib import Path

from sms_etl.errors import CampaignRefused
from sms_etl.files import unusable
from sms_etl.pii.key import find_key, find_retired_keys, fingerprint
from sms_etl.settings import Settings

_FILE = "opt_outs.csv"
_HASH = re.compile(r"[0-9a-f]{32}")
_HOW_TO_ADD = (
    "No campaign is sent before that is mended. Move the file away; `sms-etl bulks opt-outs add FILE` makes "
    "it anew from a CSV of numbers."
)


def opt_outs_path(settings: Settings) -> Path:
    """Return where the file lies, whether or not there is one."""
    return settings.data_dir / "seeds" / _FILE


def check_opt_outs(settings: Settings) -> int:
    """Return how many hashes are in the file; complain as a campaign would. Nothing is made or changed.

    Raises:
        CampaignRefused, DataDirError: As `read_hashes`, or the key cannot be read.
    """
    path = opt_outs_path(settings)
    if not _lines(path):
        return 0
    key = find_key(settings)
    return len(set(read_hashes(path, None if key is None else fingerprint(key, find_retired_keys(settings)))))


def read_hashes(path: Path, key_fingerprint: str | None) -> list[str]:
    """Return the hashes in a file; none, if there is no file.

    Args:
        path: The file.
        key_fingerprint: Of the key they have to be made by; None: there is none yet.

    Raises:
        CampaignRefused: A line holds no hash, or the hash of another key; it is named, and not quoted.
        DataDirError: The file cannot be read.
    """
    lines = _lines(path)
    if not lines:
        return []
    delimiter = ";" if ";" in lines[0][1] else ","
    rows = [(number, _fields(line, delimiter)) for number, line in lines]
    names = [name.lower() for name in rows[0][1]]
    if "phone_hash" not in names:
        raise CampaignRefused(f"{path}:{rows[0][0]}: there is no column phone_hash.", hint=_HOW_TO_ADD)
    of_hash = names.index("phone_hash")
    of_key = names.index("key_fingerprint") if "key_fingerprint" in names else None
    hashes, no_hashes, of_other_keys = [], [], []
    for number, fields in rows[1:]:
        found = _field(fields, of_hash).lower()
        made_by = "" if of_key is None else _field(fields, of_key)
        if not _HASH.fullmatch(found):
            no_hashes.append(number)
        elif made_by and key_fingerprint and made_by != key_fingerprint:
            of_other_keys.append(number)
        hashes.append(found)
    if no_hashes:
        raise CampaignRefused(
            f"{_named(path, no_hashes)}: phone_hash is no keyed hash of 32 hex digits.",
            hint="No campaign is sent before that is mended. Delete the line, and add the number by "
            "`sms-etl bulks opt-outs add FILE`: numbers in clear do not belong there.",
        )
    if of_other_keys:
        raise CampaignRefused(
            f"{_named(path, of_other_keys)}: the hash was made by another key than yours "
            f"({key_fingerprint}).",
            hint="It would match nobody, and no campaign is sent before that is mended. Move the file away "
            "and add the numbers again from where you keep them: `sms-etl bulks opt-outs add FILE`.",
        )
    return hashes


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are neither empty nor comments, with their numbers."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise unusable(path, exc, "The opt-outs {path} cannot be read") from exc
    except UnicodeDecodeError as exc:
        raise CampaignRefused(f"{path} is not UTF-8.", hint=_HOW_TO_ADD) from exc
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, line) for number, line in numbered if line.strip() and not line.startswith("#")]


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:  # longer than any hash
        return []


def _field(fields: list[str], place: int) -> str:
    return fields[place] if place < len(fields) else ""


def _named(path: Path, lines: list[int]) -> str:
    """Return a file with the first of its wrong lines, and how many more there are."""
    more = len(lines) - 1
    return f"{path}:{lines[0]}" + (f" and {more:,} more line{'s' * (more > 1)}" if more else "")
