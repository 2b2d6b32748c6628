"""Files that are written together appear together, whole, or not at all."""

from pathlib import Path

import pytest

from sms_etl.errors import DataDirError
from sms_etl.finance.writing import replace_together, written_together


def test_files_replace_earlier_ones_in_folders_that_are_made(tmp_path: Path) -> None:
    page, table = tmp_path / "new" / "report.html", tmp_path / "report.csv"
    table.write_bytes(b"earlier")
    replace_together({page: b"page", table: b"table"})
    assert (page.read_bytes(), table.read_bytes()) == (b"page", b"table")


def test_what_fails_in_the_middle_leaves_the_earlier_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes(b"earlier")
    with pytest.raises(TypeError), written_together([path], "The lines") as (file,):
        file.writelines([b"half of", None])  # type: ignore[list-item]  # what fails
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("lines.csv", b"earlier")]


def test_a_full_disk_says_what_could_not_be_written_and_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(
            DataDirError, match=f"The lines cannot be written to {tmp_path}: no space left"
        ) as found,
        written_together([tmp_path / "lines.csv"], "The lines"),
    ):
        raise OSError(28, "no space left")
    assert "Free disk space" in str(found.value.hint)
    assert not list(tmp_path.iterdir())
