"""Holds that in Dagster, too, a plan is carried out only once it was looked at."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sms_etl.definitions import defs
from sms_etl_tests.defs.instance import environment
from sms_etl_tests.defs.runs import failure_of, shown_by
from sms_etl_tests.retention.office import RULE, Office, opened, prepared, uuids_of

OLD = set(uuids_of("login", "news"))


@pytest.fixture(scope="module")
def prepared_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("prepared")
    with environment(folder), prepared(folder / "data") as office:
        yield office


@pytest.fixture
def office(prepared_office: Office, tmp_path: Path) -> Office:
    office = opened(prepared_office, tmp_path / "data")
    office.policy(RULE)
    return office


def run(office: Office, job: str, config: Mapping[str, Any] | None = None) -> dg.ExecuteInProcessResult:
    values = {
        "DATA_DIR": str(office.settings.data_dir),
        "LOX24_TOKEN": office.provider.token,
        "LOX24_BASE_URL": office.provider.url,
        "NOW": office.provider.now().isoformat(),
        "PII_KEY": "k" * 32,
    }
    with environment(office.settings.data_dir, **values), dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def(job).execute_in_process(
            run_config=dict(config or {}), instance=instance, raise_on_error=False
        )


def applied(office: Office, plan_id: str) -> dg.ExecuteInProcessResult:
    return run(office, "retention_apply", {"ops": {"apply_retention": {"config": {"plan_id": plan_id}}}})


def test_a_plan_shows_what_it_would_delete_and_deletes_nothing(office: Office) -> None:
    before = office.at_provider()
    facts = shown_by(run(office, "retention_plan"))
    assert facts["messages"] == len(OLD)
    assert f"| old | provider | {len(OLD)} |" in facts["rules"]
    assert "- 2: it has no price" in facts["held back"]
    assert office.at_provider() == before


def test_the_plan_that_is_named_is_carried_out(office: Office) -> None:
    plan_id = shown_by(run(office, "retention_plan"))["plan"]
    facts = shown_by(applied(office, plan_id))
    assert (facts["deleted"], facts["confirmed"], facts["left"]) == (len(OLD), len(OLD), "nothing")
    assert office.gone() == OLD
    assert not office.at_provider() & OLD


def test_without_a_plan_nothing_is_deleted(office: Office) -> None:
    before = office.at_provider()
    with pytest.raises(dg.DagsterInvalidConfigError):
        run(office, "retention_apply")
    assert "no id of a plan" in failure_of(applied(office, "all"))
    assert "There is no plan" in failure_of(applied(office, "1f0c8a2e-7c1d-4f0e-9a57-0d3c5b1e2f44"))
    assert office.at_provider() == before


def test_what_was_left_fails_the_run_and_is_named(office: Office) -> None:
    plan_id = shown_by(run(office, "retention_plan"))["plan"]
    uuid = uuids_of("login")[0]
    office.provider.insert({"uuid": uuid, "price": "0.5", "created_at": 1_700_000_000})
    result = applied(office, plan_id)
    assert not result.success
    assert "- 1: the provider has it otherwise" in failure_of(result)
    assert uuid in office.at_provider()


def test_no_schedule_carries_out_a_plan() -> None:
    started = {defs.resolve_schedule_def(each.name).job_name for each in defs.schedules or []}
    assert "retention_plan" in started
    assert "retention_apply" not in started
