"""The sensor `alerts`: tells people of what is wrong, each incident once; also of runs that failed.

What a failed run is about is mostly in the warehouse too (a sync that ended in an error, a check, a build),
and is told from there; only other failures are told as those of a run.
"""

from collections.abc import Iterator

import dagster as dg

from sms_etl import errors
from sms_etl.alerts.channels import channels
from sms_etl.alerts.incident import Incident, Open, Source
from sms_etl.alerts.telling import nobody_is_told, tell
from sms_etl.defs.resources import SettingsSource
from sms_etl.errors import ProviderError, SmsEtlError

_SECONDS_BETWEEN = 60
_LAST_RUNS = 100
"""Runs that are looked at for the newest of each job."""
_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_TOLD_BY_THE_WAREHOUSE = {
    *(
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, ProviderError)
    ),
    "ModelError",
    "ChecksFailed",
    "DagsterAssetCheckFailedError",
}
_BY_HAND = "__ASSET_JOB"


@dg.sensor(
    minimum_interval_seconds=_SECONDS_BETWEEN,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of what is wrong by e-mail and webhook, each incident once.",
)
def alerts(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[SettingsSource]) -> dg.SkipReason:
    """Tell of what is new, and say how much of it there is."""
    try:
        loaded = settings.load()
        if not channels(loaded):
            return dg.SkipReason(str(nobody_is_told()))
        result = tell(loaded, failed_runs(context.instance))
    except SmsEtlError as exc:
        raise dg.Failure(str(exc)) from None  # what it was raised from may quote a row
    if result.errors:
        raise dg.Failure("\n".join(result.errors))
    return dg.SkipReason(f"{len(result.incidents)} open, of which {result.told} were told now.")


def failed_runs(instance: dg.DagsterInstance) -> Open:
    """Return the jobs whose newest finished run failed, for a reason that only Dagster knows."""
    newest: dict[str, dg.DagsterRun] = {}
    filters = dg.RunsFilter(statuses=list(_FINISHED))
    for run in instance.get_runs(filters=filters, limit=_LAST_RUNS):
        newest.setdefault(run.job_name, run)
    return Open(tuple(_failures(instance, newest)), frozenset({Source.DAGSTER}))


def _failures(instance: dg.DagsterInstance, newest: dict[str, dg.DagsterRun]) -> Iterator[Incident]:
    for job, run in sorted(newest.items()):
        if run.status is not dg.DagsterRunStatus.FAILURE:
            continue
        kind, said = _why(instance, run)
        if kind in _TOLD_BY_THE_WAREHOUSE:
            continue
        called = "A run of assets" if job == _BY_HAND else f"The job {job}"
        yield Incident(
            Source.DAGSTER,
            f"run/{job}/{kind}",
            f"{called} failed" + (f" with {kind}" if kind else ""),
            f"{said} Run {run.run_id}.",
            "sms-etl ui",
            is_alarm=True,
        )


def _why(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, str]:
    """Return the kind of the error that ended a run, and what it says if it is one of ours."""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        failure = event.step_failure_data if event else None
        if failure is None:
            continue
        told = failure.user_failure_data
        if told is not None and "error" in told.metadata:
            return str(told.metadata["error"].value), (told.description or "").replace("\n", " ")
        cause = failure.error and (failure.error.cls_name or "")
        return cause or "", "Its page in Dagster says why."
    return "", "No step says why: its process was killed, or never started."
