"""One run of the whole job against a sandbox, with an instance of its own; and a bare environment."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_etl.definitions import defs
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.defs.instance import SMALL, Records, Run, environment, packaged_instance


@pytest.fixture
def bare_environment(tmp_path: Path) -> Iterator[Path]:
    """An empty working directory, and nothing of ours in the environment."""
    with environment(tmp_path):
        yield tmp_path


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(account=SMALL) as handle:
        yield handle


@pytest.fixture(scope="session")
def run(sandbox: SandboxHandle, tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("pipeline")
    handler, root = Records(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    values = {
        "LOX24_TOKEN": sandbox.token,
        "LOX24_BASE_URL": sandbox.url,
        "DATA_DIR": str(directory / "data"),
        "NOW": sandbox.now().isoformat(),
    }
    try:
        with environment(directory, **values), packaged_instance(directory / "home") as instance:
            result = defs.resolve_job_def("sms_pipeline").execute_in_process(
                instance=instance, raise_on_error=False
            )
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
    return Run(result, directory / "home", directory / "data", handler.records)


@pytest.fixture
def loaded_again(run: Run, tmp_path: Path) -> Iterator[Path]:
    """A copy of the run's data directory, in use, and no token."""
    shutil.copytree(run.data_dir, tmp_path / "data")
    with environment(tmp_path, DATA_DIR=str(tmp_path / "data"), NOW=SMALL.end.isoformat()):
        yield tmp_path / "data"
