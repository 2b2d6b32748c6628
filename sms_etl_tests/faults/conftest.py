"""A provider behind the proxy, how much of the suite is run, and the counts at its end.

`SMS_ETL_TEST_FAULTS=full` runs everything; otherwise a short form of some seconds. With
`SMS_ETL_TEST_FAULTS_TABLE` the counts are also written into that document.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sms_etl.demo import with_sandbox
from sms_etl.sandbox.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.sandbox.switches import SandboxSwitches
from sms_etl.settings import load_settings
from sms_etl_tests.faults.proxy import running_proxy
from sms_etl_tests.faults.rehearsal import OVERLAP, Patience, Rehearsal
from sms_etl_tests.faults.tally import Tally, added_up, table_of, write_table

IS_FULL = os.environ.get("SMS_ETL_TEST_FAULTS") == "full"
_PROPERTY = "fault_tally"
_tallies: list[dict[str, Any]] = []

RehearsalOf = Callable[..., Rehearsal]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(1, 6) if IS_FULL else (1,), ids=lambda seed: f"seed{seed}")
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
            base = with_sandbox(load_settings(data_dir=tmp_path / "data", overlap=OVERLAP), provider)
            tally = Tally(what)
            stack.callback(lambda: request.node.user_properties.append((_PROPERTY, tally.as_property())))
            return Rehearsal(provider, proxy, base, tally)

        yield make


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """Wait as the client does, in a fraction of the time."""
    patience = Patience(monkeypatch, [])
    patience.set()
    return patience


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        for name, value in report.user_properties:
            if name == _PROPERTY and isinstance(value, dict):
                _tallies.append(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _tallies:
        return
    table = table_of(added_up(_tallies))
    terminalreporter.section("what the fault suite did")
    terminalreporter.write_line(table)
    document = os.environ.get("SMS_ETL_TEST_FAULTS_TABLE")
    if document and IS_FULL:
        write_table(Path(document), table)
