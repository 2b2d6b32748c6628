"""A provider behind the proxy, and how much of the suite is run.

`SMS_ETL_TEST_FAULTS=full` runs everything; otherwise a short form of some seconds. With
`SMS_ETL_TEST_FAULTS_TABLE` the counts are also written into that document; see counts.py.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sms_etl.cli.demo import with_sandbox
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import load_settings
from sms_etl_tests.faults.counts import IS_FULL, keep
from sms_etl_tests.faults.proxy import running_proxy
from sms_etl_tests.faults.rehearsal import OVERLAP, WINDOW_ROWS, Patience, Rehearsal
from sms_etl_tests.faults.tally import Tally

RehearsalOf = Callable[..., Rehearsal]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(1, 4) if IS_FULL else (1,), ids=lambda seed: f"seed{seed}")
    if "moving_seed" in metafunc.fixturenames:
        metafunc.parametrize("moving_seed", range(1, 21) if IS_FULL else (1,))


@pytest.fixture
def rehearsal_of(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RehearsalOf]:
    """Make a rehearsal: an account behind the proxy, with pages for several windows, and a heading."""
    with ExitStack() as stack:

        def make(what: str, *, messages: int = 180, page_size: int = 2, **switches: Any) -> Rehearsal:
            account = AccountParameters(messages=messages, days=6)
            provider = stack.enter_context(
                running_sandbox(account=account, switches=SandboxSwitches(page_size=page_size, **switches))
            )
            proxy = stack.enter_context(running_proxy(provider.url))
            base = with_sandbox(
                load_settings(data_dir=tmp_path / "data", overlap=OVERLAP, window_rows=WINDOW_ROWS), provider
            )
            tally = Tally(what)
            stack.callback(keep, request.node, tally)
            return Rehearsal(provider, proxy, base, tally)

        yield make


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """Wait as the client does, in a fraction of the time."""
    patience = Patience(monkeypatch, [])
    patience.set()
    return patience
