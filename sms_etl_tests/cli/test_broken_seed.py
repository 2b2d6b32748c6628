"""A broken seed ends the build, not the sync: what was loaded is told, and how old the figures are."""

from pathlib import Path

from sms_etl.errors import ModelError
from sms_etl.settings import load_settings
from sms_etl.warehouse.later_build import later_failure
from sms_etl_tests.cli.running import Run, the_object

GOOD = "key_id,cost_centre\n1,Ours\n"
BROKEN = "key_id,cost_centre\n1,Ours\n+49 176 12345678,Ours\n"
NUMBER = "12345678"


def cost_centres(text: str) -> None:
    file = load_settings().data_dir / "seeds" / "cost_centres.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_build_that_fails_later_is_told_by_sync_status_report_and_overview(
    synced: Run, tmp_path: Path
) -> None:
    cost_centres(BROKEN)
    result = synced("sync", "--json")
    assert result.exit_code == ModelError.exit_code
    told = the_object(result)
    assert told["stopped_reason"] == "done"
    assert "cost_centres.csv:3: key_id is" in told["error"]
    assert "cost_centres.csv:3: key_id is" in result.stderr
    shown = synced("sync")
    assert shown.exit_code == ModelError.exit_code
    assert "rows read" in shown.stdout

    status = synced("status")
    assert status.exit_code == 3
    assert "cost_centres.csv:3: key_id is '…'" in "".join(status.stdout.split("\n"))
    error = the_object(synced("status", "--json"))["build_error"]
    assert NUMBER not in error

    page = Path(told["overview"]).read_text()
    assert "A later build failed" in page
    assert NUMBER not in page
    report = synced("report", "--month", "2026-01")
    assert report.exit_code == 0
    assert "A later build failed, on " in report.stderr
    assert "Figures are of " in report.stderr
    later = the_object(synced("report", "--month", "2026-01", "--json"))["later_build"]
    assert later["error"] == error

    cost_centres(GOOD)
    mended = the_object(synced("sync", "--json"))
    assert mended["error"] is None
    assert "A later build failed" not in Path(mended["overview"]).read_text()
    assert the_object(synced("status", "--json"))["build_error"] is None
    assert the_object(synced("report", "--month", "2026-01", "--json"))["later_build"] is None


def test_a_first_build_that_fails_is_told_and_no_hindrance_to_the_next(
    run: Run, account: dict[str, str]
) -> None:
    cost_centres(BROKEN)
    assert run("sync", **account).exit_code == ModelError.exit_code
    assert later_failure(load_settings()) is None  # nothing was published
    status = the_object(run("status", "--json"))
    assert status["failed_tests"] == ["the last build ended in an error (all models)"]
    assert "cost_centres.csv:3" in status["build_error"]
    cost_centres(GOOD)
    assert run("sync").exit_code == 0
    assert run("status").exit_code == 0


def test_a_failed_check_that_was_published_by_force_is_no_later_failure(synced: Run) -> None:
    cost_centres(BROKEN)
    assert synced("build").exit_code == ModelError.exit_code
    assert later_failure(load_settings()) is not None
    assert synced("publish", "--force", "--reason", "known").exit_code == 0
    assert later_failure(load_settings()) is None
