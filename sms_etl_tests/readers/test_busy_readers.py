"""Twenty readers that never rest while the pipeline publishes (in the long form a minute of syncs, too).

None of them errs. No publication waits for a reader, or the test would not end.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sms_etl.cli.demo import with_sandbox
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl.settings import load_settings
from sms_etl.warehouse.publish import publish

PROGRAM = Path(__file__).parent / "keep_reading.py"
PROGRAMS, THREADS = 4, 5
IS_LONG = os.environ.get("SMS_ETL_TEST_READERS") == "full"
SECONDS = 60 if IS_LONG else 3


@contextmanager
def readers(data_dir: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the readers, and see that each of them is at work."""
    command = [sys.executable, str(PROGRAM), str(data_dir), str(THREADS)]
    with ExitStack() as stack:
        programs = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(PROGRAMS)
        ]
        for program in programs:
            stack.callback(program.kill)  # nothing, if it has ended
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "reading\n"
        yield programs


def told(program: subprocess.Popen[str]) -> dict[str, Any]:
    """End a program of readers, and return what it met."""
    out, _ = program.communicate("\n", timeout=60)
    found: dict[str, Any] = json.loads(out)
    return found


def test_twenty_readers_never_err_while_the_pipeline_syncs_and_publishes(tmp_path: Path) -> None:
    with running_sandbox(account=AccountParameters(messages=300, days=40)) as provider:

        def settings_now() -> Any:
            return with_sandbox(load_settings(data_dir=tmp_path / "data", now=provider.now()), provider)

        sync_build_publish(settings_now())
        publications = 1
        with readers(tmp_path / "data") as programs:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                if IS_LONG:
                    provider.advance(timedelta(hours=6))
                    assert sync_build_publish(settings_now()).or_raise().published is not None
                    publications += 1
                publish(settings_now())
                publications += 1
            found = [told(program) for program in programs]
    assert [each["errors"] for each in found] == [[]] * PROGRAMS
    assert all(reads > 0 for each in found for reads in each["reads"])
    seen = {published_at for each in found for published_at in each["publications"]}
    assert 1 < len(seen) <= publications, "readers see new publications as they come"
