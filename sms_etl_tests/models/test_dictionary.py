"""The data dictionary is that of the models as they are."""

import subprocess
import sys
from pathlib import Path

from sms_etl.models.dictionary import data_dictionary
from sms_etl.models.project import load_project

WRITTEN = Path(__file__).parents[2] / "docs" / "data-dictionary.md"


def test_the_data_dictionary_is_current() -> None:
    hint = "run: python -m sms_etl.models.dictionary > docs/data-dictionary.md"
    assert WRITTEN.read_text(encoding="utf-8") == data_dictionary(load_project()), hint


def test_every_relation_and_column_is_in_it() -> None:
    project = load_project()
    text = data_dictionary(project)
    for name, columns in project.schemas.items():
        section = text.partition(f"### {name}\n")[2].partition("\n### ")[0]
        assert all(f"| {column} |" in section for column in columns), name


def test_the_module_prints_it() -> None:
    run = [sys.executable, "-m", "sms_etl.models.dictionary"]
    printed = subprocess.run(run, capture_output=True, text=True, check=True, encoding="utf-8")
    assert printed.stdout.startswith("# Data dictionary\n")
    assert not printed.stderr
