"""Tells at the end of the tests what the fault suite did; for the conftest above all tests.

Only there are hooks called in the process that prints, whatever the command line names and however many
workers there are.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from sms_etl_tests.faults.tally import Tally, added_up, table_of, write_table

IS_FULL = os.environ.get("SMS_ETL_TEST_FAULTS") == "full"
"""Whether everything is run, or a short form of some seconds."""
_PROPERTY = "fault_tally"
_tallies: list[dict[str, Any]] = []


def keep(node: pytest.Item, tally: Tally) -> None:
    """Let a test's report carry its counts."""
    node.user_properties.append((_PROPERTY, tally.as_property()))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        _tallies.extend(
            value for name, value in report.user_properties if name == _PROPERTY and isinstance(value, dict)
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _tallies:
        return
    table = table_of(added_up(_tallies))
    terminalreporter.section("what the fault suite did")
    terminalreporter.write_line(table)
    document = os.environ.get("SMS_ETL_TEST_FAULTS_TABLE")
    if document and IS_FULL:
        write_table(Path(document), table)
