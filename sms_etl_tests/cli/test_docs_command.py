"""`sms-etl docs`: needs neither an account nor a warehouse."""

from pathlib import Path

from sms_etl_tests.cli.running import Run, the_object


def test_the_page_lies_in_the_data_directory_and_its_path_is_printed(run: Run, tmp_path: Path) -> None:
    result = run("docs")
    path = tmp_path / "data" / "docs" / "models.html"
    assert (result.exit_code, result.stdout.strip()) == (0, str(path))
    assert "marts.cost_monthly" in path.read_text(encoding="utf-8")


def test_it_may_lie_elsewhere(run: Run, tmp_path: Path) -> None:
    result = the_object(run("docs", str(tmp_path / "page.html"), "--json"))
    assert result["path"] == str(tmp_path / "page.html")
    assert result["relations"] > 40
    assert (tmp_path / "page.html").exists()
