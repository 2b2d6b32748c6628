"""The example notebook for analysts, run cell by cell in a real kernel."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.conftest import SettingsAt

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook" / "example.ipynb"


# ipykernel and what it brings may warn; what is tested is the notebook.
@pytest.mark.filterwarnings("default")
def test_every_cell_of_the_example_notebook_runs_and_shows_exact_money(
    provider: SandboxHandle, settings_at: SettingsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(provider)
    sync_build_publish(settings)
    monkeypatch.setenv("SMS_ETL_DATA_DIR", str(settings.data_dir))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    assert not any(cell.get("outputs") for cell in notebook.cells), "no figures are committed"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [cell.outputs[-1] for cell in notebook.cells if cell.cell_type == "code"]
    assert len(shown) == 6
    assert "Decimal('" in shown[2]["data"]["text/plain"]
    assert "rate" in shown[4]["data"]["text/html"]
