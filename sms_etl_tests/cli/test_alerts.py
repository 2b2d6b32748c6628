"""`sms-etl alerts`: what is wrong is shown, and told."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sms_etl_tests.alerts.servers import Hook, hook_listening
from sms_etl_tests.cli.running import Run, the_object


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_listening() as listening:
        yield listening


def change(data_dir: Path, *statements: str) -> None:
    with duckdb.connect(str(data_dir / "warehouse.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def found_by(run: Run) -> set[str]:
    return {each["incident"] for each in the_object(run("alerts", "--json"))["incidents"]}


def test_each_thing_that_is_wrong_has_a_name_of_its_own(synced: Run, tmp_path: Path) -> None:
    usual = found_by(synced)
    change(
        tmp_path / "data",
        "update ops.sync_run set stopped_reason = 'Unreachable', error = 'no answer (request id abc)', "
        "bulks_error = 'no answer', unknown_fields = '[\"colour\"]'",
        "update ops.model_test set failures = 2 where test = 'money_reconciles'",
    )
    assert found_by(synced) - usual == {
        "sync/error/Unreachable",
        "sync/bulks",
        "sync/field/colour",
        "sync/check/marts.cost_monthly/money_reconciles",
    }


def test_a_sync_that_could_not_reach_the_provider_is_told_with_its_request_id(
    synced: Run, tmp_path: Path, hook: Hook
) -> None:
    change(
        tmp_path / "data",
        "update ops.sync_run set stopped_reason = 'Unavailable', error = 'error 503 (request id abc)'",
    )
    result = synced("alerts", "--send", alert_webhook=hook.url)
    assert result.exit_code == 3
    (post,) = [post for post in hook.posts if post["alert"]["incident"] == "sync/error/Unavailable"]
    assert "error 503 (request id abc)" in post["text"]
    assert "Next: sms-etl doctor" in post["text"]


def test_while_something_writes_the_warehouse_nothing_counts_as_over(
    synced: Run, tmp_path: Path, hook: Hook
) -> None:
    change(tmp_path / "data", "update ops.sync_run set stopped_reason = 'Unavailable', error = 'error 503'")
    synced("alerts", "--send", alert_webhook=hook.url)
    told = len(hook.posts)
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")):
        synced("alerts", "--send")
    synced("alerts", "--send")
    assert len(hook.posts) == told


def test_nothing_is_wrong_before_the_first_sync(run: Run) -> None:
    result = run("alerts")
    assert (result.exit_code, result.stdout) == (0, "Nothing is wrong.\n")


def test_to_send_to_nobody_says_what_to_set(run: Run) -> None:
    result = run("alerts", "--send")
    assert result.exit_code == 2
    assert "SMS_ETL_ALERT_WEBHOOK" in result.stderr


def test_an_alert_that_is_not_taken_is_an_error(synced: Run, tmp_path: Path, hook: Hook) -> None:
    change(tmp_path / "data", "update ops.sync_run set stopped_reason = 'Unavailable', error = 'error 503'")
    hook.status = 500
    result = synced("alerts", "--send", alert_webhook=hook.url)
    assert result.exit_code == 1
    assert "it answered 500" in result.stderr


def test_mail_needs_a_server_and_somebody_to_write_to(run: Run) -> None:
    result = run("alerts", alert_to="ops@example.com")
    assert result.exit_code == 2
    assert "SMS_ETL_ALERT_SMTP: set it too, or remove SMS_ETL_ALERT_TO" in result.stderr


@pytest.mark.parametrize("server", ["mail.example.com", "http://mail.example.com", "smtp://", "smtps://a/b"])
def test_a_mail_server_that_is_none_is_refused_without_being_quoted(run: Run, server: str) -> None:
    result = run("alerts", alert_to="ops@example.com", alert_smtp=f"{server}?secret-word")
    assert result.exit_code == 2
    assert "SMS_ETL_ALERT_SMTP: give it as smtps://" in result.stderr
    assert "secret-word" not in result.stderr
