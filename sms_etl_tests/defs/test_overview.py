"""The asset of the overview: drawn after a publication, and no reason for a run to fail."""

from pathlib import Path

import dagster as dg

from sms_etl.definitions import defs
from sms_etl.defs.overview import CHECK, OVERVIEW
from sms_etl.defs.publishing import PUBLISHED
from sms_etl_tests.defs.instance import Run, instance_in_memory


def publish_and_draw(home: Path) -> dg.ExecuteInProcessResult:
    with instance_in_memory(home) as instance:
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[PUBLISHED, OVERVIEW], raise_on_error=False
        )


def drawn(result: dg.ExecuteInProcessResult) -> bool:
    keys = [event.asset_key for event in result.get_asset_materialization_events()]
    return OVERVIEW in keys


def test_the_job_draws_the_page(run: Run) -> None:
    assert drawn(run.result)
    assert (run.data_dir / "reports" / "overview.html").is_file()


def test_a_page_that_cannot_be_drawn_is_a_warning_and_the_run_succeeds(
    loaded_again: Path, tmp_path: Path
) -> None:
    (loaded_again / "reports" / "overview.html").unlink()
    (loaded_again / "reports").rmdir()
    (loaded_again / "reports").touch()
    result = publish_and_draw(tmp_path / "home")
    assert result.success
    assert not drawn(result)
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == CHECK]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
