"""How a step fails: with what to do next, tried again only where that helps, and quoting no message."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from sms_etl import errors
from sms_etl.definitions import defs
from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.sync import RETRY_POLICY
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import running_sandbox
from sms_etl_tests.defs.instance import environment, instance_in_memory, packaged_instance

NUMBER = "+4915555123456"


def sync(home: Path) -> dg.ExecuteInProcessResult:
    with instance_in_memory(home) as instance:
        return defs.resolve_job_def("sms_pipeline").execute_in_process(
            instance=instance, raise_on_error=False
        )


def told(result: dg.ExecuteInProcessResult) -> dg.Failure:
    failure = result.failure_data_for_node("lox24_sync")
    assert failure is not None
    assert failure.user_failure_data is not None
    return dg.Failure(failure.user_failure_data.description, failure.user_failure_data.metadata)


def retries(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        event.event_type_value
        for event in result.all_events
        if event.event_type_value in {"STEP_UP_FOR_RETRY", "STEP_RESTARTED"}
    ]


def test_a_missing_token_says_what_to_set_and_is_not_tried_again(bare_environment: Path) -> None:
    result = sync(bare_environment / "home")
    said = told(result).description or ""
    assert said.startswith("SMS_ETL_LOX24_TOKEN is not set.\nSet it to <client_id>:<key>, ")
    assert said.endswith("or try the sandbox: `sms-etl demo`.")
    assert retries(result) == []


def test_a_setting_out_of_bounds_is_named_and_not_tried_again(bare_environment: Path) -> None:
    with environment(bare_environment, LOX24_TOKEN="1:secret-key", CONCURRENCY="0"):
        result = sync(bare_environment / "home")
    assert (told(result).description or "").startswith("SMS_ETL_CONCURRENCY: ")
    assert "secret-key" not in str(told(result))
    assert retries(result) == []


def test_a_wrong_token_is_asked_once(bare_environment: Path) -> None:
    with (
        running_sandbox(account=AccountParameters(messages=5, days=1)) as sandbox,
        environment(
            bare_environment, LOX24_TOKEN="1:wrong", LOX24_BASE_URL=sandbox.url, NOW=sandbox.now().isoformat()
        ),
    ):
        result = sync(bare_environment / "home")
        asked = sandbox.requests()
    assert [request["status"] for request in asked] == [401]
    assert told(result).metadata["error"].value == "Unauthorised"
    assert retries(result) == []
    assert [step.step_key for step in result.all_events if step.is_step_start] == ["lox24_sync"]


PASSING = [
    errors.AlreadyRunning,
    errors.BadAnswer,
    errors.NotSent,
    errors.ProviderDiffers,
    errors.Throttled,
    errors.Unavailable,
    errors.Unreachable,
    errors.WarehouseLocked,
    errors.WindowUnstable,
]


def leaves(kind: type[errors.SmsEtlError]) -> list[type[errors.SmsEtlError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]


@pytest.mark.parametrize("kind", leaves(errors.SmsEtlError))
def test_only_what_may_pass_by_itself_is_tried_again(kind: type[errors.SmsEtlError]) -> None:
    with pytest.raises(dg.Failure) as failure, sanitised_failures():
        raise kind("It happened.", hint="Do this.")
    assert failure.value.description == "It happened.\nDo this."
    assert failure.value.allow_retries is (kind in PASSING)


def test_what_a_failure_was_raised_from_is_not_kept(bare_environment: Path) -> None:
    @dg.op
    def build() -> None:
        with sanitised_failures():
            try:
                duckdb.connect().execute(f"select cast('{NUMBER}' as timestamp)")
            except duckdb.Error as exc:
                raise errors.ModelError("marts/fct_sms.sql:1: cannot be built") from exc

    assert kept_of(build, bare_environment) == ("ModelError", False)


def test_what_a_library_says_is_not_kept_but_where_it_said_it_is(bare_environment: Path) -> None:
    @dg.op
    def build() -> None:
        with sanitised_failures():
            duckdb.connect().execute("select cast($1 as timestamp)", [NUMBER])

    kind, is_quoted = kept_of(build, bare_environment)
    assert (kind, is_quoted) == ("ConversionException", False)


def kept_of(op: dg.OpDefinition, directory: Path) -> tuple[str, bool]:
    """Run an op that fails; give the kind of error that is shown and whether the number is kept anywhere."""
    job = dg.GraphDefinition(name="rehearsal", node_defs=[op]).to_job(executor_def=dg.in_process_executor)
    with packaged_instance(directory / "home") as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        entries = instance.all_logs(result.run_id)
    failure = result.failure_data_for_node(op.name)
    assert failure is not None
    assert failure.user_failure_data is not None
    kept = "\n".join(dg.serialize_value(entry) for entry in entries)
    kept += "".join(
        file.read_bytes().decode("utf-8", "replace") for file in directory.rglob("*") if file.is_file()
    )
    assert "rehearsal" in kept
    return str(failure.user_failure_data.metadata["error"].value), NUMBER in kept


def test_the_sync_is_tried_three_times_with_growing_pauses() -> None:
    assert (RETRY_POLICY.max_retries, RETRY_POLICY.delay) == (2, 60)
    assert RETRY_POLICY.backoff is dg.Backoff.EXPONENTIAL
    assert RETRY_POLICY.jitter is dg.Jitter.PLUS_MINUS
    node = defs.resolve_job_def("sms_pipeline").graph.node_named("lox24_sync")
    assert node.definition.retry_policy == RETRY_POLICY  # type: ignore[attr-defined]  # all nodes here are ops
