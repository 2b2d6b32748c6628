"""Writes the files of a report: all of them appear whole, or none does."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from sms_etl.errors import DataDirError
from sms_etl.files import commit_file, is_full, make_directory, open_private


def replace_together(contents: Mapping[Path, bytes]) -> None:
    """Write every file aside before the first is renamed, so that no reader meets half a report.

    Raises:
        DataDirError: Their folder cannot be written.
    """
    with written_together(tuple(contents), "The report") as files:
        for file, content in zip(files, contents.values(), strict=True):
            file.write(content)


@contextmanager
def written_together(paths: Sequence[Path], what: str) -> Iterator[tuple[BinaryIO, ...]]:
    """Open files to be written aside; at the end of the block they replace those of the same paths.

    If anything goes wrong within the block, nothing is replaced and nothing of them is left.

    Args:
        paths: Where the files are to appear; their folders are made if they are not there.
        what: What is written, as the error says it: `The report`.

    Raises:
        DataDirError: Their folder cannot be written.
    """
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in paths}
    try:
        with ExitStack() as opened:
            for path in paths:
                make_directory(path.parent)
            yield tuple(opened.enter_context(open_private(part)) for part in aside.values())
        for path, part in aside.items():
            commit_file(part, path)
    except OSError as exc:
        raise DataDirError(
            f"{what} cannot be written to {paths[0].parent}: {exc.strerror or exc}.",
            hint=_what_to_do(exc),
        ) from exc
    finally:
        for part in aside.values():
            _forget(part)


def _what_to_do(exc: OSError) -> str:
    if is_full(exc):
        return "Free disk space, and write it again."
    return "Give SMS_ETL_DATA_DIR a folder you may write to."


def _forget(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # the error that led here is the one to tell
