"""A week under Dagster's daemon, in minutes: schedules tick, a month is closed, and three things go wrong.

Only the calendar is moved, in jumps, as if the machine had slept: the sandbox's by its control call, that of
all programs by a library (clock.c). What runs is what deploy/ installs: the daemon with deploy/dagster.yaml,
its code server, each run in a process of its own. Alerts go to a web and a mail server here.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from sms_etl.sandbox.life.account import AccountParameters
from sms_etl_tests.alerts.servers import Hook, MailServer, hook_listening, mail_server_listening
from sms_etl_tests.disks import Disk, mounted_disk
from sms_etl_tests.provider_truth import assert_bulks_equal, assert_messages_equal
from sms_etl_tests.rehearsal.clock import MovedClock
from sms_etl_tests.rehearsal.machine import ROOT, Machine, Provider, wait_until

PIPELINE, NIGHTLY = "sms_pipeline_every_15_minutes", "sms_reconcile_nightly"
WEEKLY, MONTHLY = "retention_plan_weekly", "month_end_monthly"
BEGINNING = datetime(2026, 1, 30, 6, tzinfo=UTC)
"""A Friday, an hour earlier than in Berlin, whose clock the schedules go by."""
FRIDAY = BEGINNING + timedelta(minutes=15)
MONDAY = datetime(2026, 2, 2, 5, tzinfo=UTC)
AFTERNOON, EVENING = MONDAY.replace(hour=14), MONDAY.replace(hour=20)
SIXTH = datetime(2026, 2, 6, 6, 15, tzinfo=UTC)
TRAFFIC = AccountParameters(seed=7, messages=70, days=29, days_after=5, end=BEGINNING)
"""From the first of January on, and little of it: nothing leaves its usual range."""
UNHURRIED = f"code_servers:\n  local_startup_timeout: {10 * 365 * 86_400}\n"
"""The daemon starts its code server anew each minute, and measures how long that takes on the calendar."""
STEPS_BEFORE_THE_KILL = 20
UNREACHABLE, DISK_FULL = "sync/error/Unreachable", "dagster/run/sms_pipeline/DataDirError"
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


@dataclass
class Week:
    """All that takes part."""

    machine: Machine
    provider: Provider
    disk: Disk
    hook: Hook
    mail: MailServer

    @property
    def data_dir(self) -> Path:
        return self.disk.path / "data"

    def alerts(self) -> list[str]:
        """Return the incidents that were told so far."""
        return [post["alert"]["incident"] for post in self.hook.posts]

    def come_to(self, moment: datetime, *, finding: Callable[[], None] = lambda: None) -> None:
        """Let time pass, at the provider and on the machine, until some seconds after a moment.

        Args:
            moment: What the clocks show.
            finding: What has happened before any program wakes.
        """
        self.provider.handle.advance(moment + timedelta(seconds=5) - self.provider.handle.now())
        self.send_messages()
        finding()
        self.machine.clock.move_to(moment + timedelta(seconds=5))

    def send_messages(self) -> None:
        """Send one that is delivered at once, and one that is delivered two days later."""
        now = int(self.provider.handle.now().timestamp())
        sent = {"at": now, "status_code": 100, "dlr_code": 0, "is_sent": True}
        for seconds in (0, 2 * 86_400):
            delivered = {"at": now + seconds, "status_code": 100, "dlr_code": 1, "is_sent": True}
            self.provider.handle.insert({"steps": [sent, delivered]})

    def let_a_minute_pass(self) -> None:
        """Let the sensor of alerts tick, which it does each minute."""
        self.machine.clock.move_to(self.machine.clock.now() + timedelta(seconds=61))

    def let_the_sensor_tick(self) -> None:
        """Wait until it has ticked once more."""
        before = self.machine.sensor_ticks()
        self.let_a_minute_pass()
        wait_until(lambda: self.machine.sensor_ticks() > before, "the sensor of alerts ticks")

    def told(self, incident: str, times: int = 1) -> None:
        """Wait until an incident was told."""
        wait_until(lambda: self.alerts().count(incident) >= times, f"told of {incident}: {self.alerts()}")

    def ended(self, run: dg.DagsterRun) -> dg.DagsterRun:
        """Wait until a run has ended, and return how."""

        def found() -> dg.DagsterRun | None:
            return next(
                (each for each in self.machine.runs() if each.run_id == run.run_id and each.is_finished), None
            )

        return wait_until(found, f"the run of {run.job_name} ends")

    def ran(self, schedule: str, since: datetime) -> dg.DagsterRun:
        """Wait until a schedule has ticked and its run has ended; return it."""
        return self.ended(
            wait_until(lambda: self.machine.ticked(schedule, since), f"{schedule} ticks after {since}")
        )


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    with ExitStack() as stack:
        disk = stack.enter_context(mounted_disk(tmp_path / "disk", megabytes=400))
        hook, mail = stack.enter_context(hook_listening()), stack.enter_context(mail_server_listening())
        provider = Provider(tmp_path / "provider.sqlite", TRAFFIC)
        provider.start()
        stack.callback(provider.stop)
        clock = MovedClock(tmp_path, BEGINNING)
        # In memory: Dagster syncs its files thousands of times a run, which takes as long as all the rest.
        home = stack.enter_context(mounted_disk(tmp_path / "home", megabytes=400)).path
        (home / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text() + UNHURRIED)
        passed_on = {
            name: value for name, value in os.environ.items() if name.startswith(("COVERAGE_", "PYTHONPATH"))
        }
        settings = {
            "ENV_FILE": os.devnull,
            "DATA_DIR": str(disk.path / "data"),
            "LOX24_TOKEN": provider.handle.token,
            "LOX24_BASE_URL": provider.handle.url,
            "START": "2025-12-31",  # January begins in Berlin before it does in UTC
            "ALERT_WEBHOOK": hook.url,
            "ALERT_SMTP": mail.address,
            "ALERT_TO": "operations@example.org",
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DAGSTER_HOME": str(home),
            **passed_on,
            **clock.environment,
            **{f"SMS_ETL_{name}": value for name, value in settings.items()},
        }
        machine = Machine(home, environment, clock, tmp_path / "daemon.log")
        stack.callback(machine.kill_daemon)
        yield Week(machine, provider, disk, hook, mail)


@pytest.mark.slow
def test_a_week_of_trouble_ends_with_the_providers_truth_and_each_alert_told_once(week: Week) -> None:
    start_the_schedules(week)
    should_come = [
        *kill_the_daemon_in_the_middle_of_a_run(week),
        *keep_the_provider_out_of_reach(week),
        *fill_the_disk(week),
        *close_a_month(week),
    ]
    assert week.alerts() == should_come
    titles = [post["alert"]["title"] for post in week.hook.posts]
    assert [mail["Subject"] for mail in week.mail.mails] == [f"sms_etl: {title}" for title in titles]
    warehouse = week.data_dir / "warehouse.duckdb"
    assert_messages_equal(warehouse, week.provider.handle.truth_sms())
    assert_bulks_equal(warehouse, week.provider.handle.truth_bulks())


def start_the_schedules(week: Week) -> None:
    """Start them as docs/operations.md says, and the daemon; the first tick reads the account."""
    workspace = str(ROOT / "workspace.yaml")
    started = week.machine.run("dagster", "schedule", "start", "--start-all", "-w", workspace)
    assert started.returncode == 0, started.stderr
    week.machine.start_daemon()
    week.come_to(FRIDAY)
    assert week.ran(PIPELINE, FRIDAY).status == SUCCESS
    assert week.alerts() == []


def kill_the_daemon_in_the_middle_of_a_run(week: Week) -> list[str]:
    """After a weekend of sleep; the run fails and is repeated, what waited behind it goes on."""
    week.come_to(MONDAY)
    week.told("figures/stale")
    killed = wait_until(lambda: week.machine.in_the_middle(STEPS_BEFORE_THE_KILL), "a run is under way")
    week.machine.kill_daemon()
    week.machine.start_daemon()
    assert week.ended(killed).status == FAILURE
    week.let_a_minute_pass()
    incident = f"dagster/run/{killed.job_name}/"
    week.told(incident)
    repeated = wait_until(lambda: week.machine.retried(killed), "the run that was killed is repeated")
    assert week.ended(repeated).status == SUCCESS
    others = [week.ran(schedule, MONDAY - timedelta(hours=3)) for schedule in (PIPELINE, NIGHTLY, WEEKLY)]
    assert {run.status for run in others if run.run_id != killed.run_id} == {SUCCESS}
    return ["figures/stale", incident]


def keep_the_provider_out_of_reach(week: Week) -> list[str]:
    """Until its absence was told; the try after that succeeds."""
    week.come_to(AFTERNOON, finding=week.provider.stop)
    run = wait_until(lambda: week.machine.ticked(PIPELINE, AFTERNOON), "the pipeline ticks")
    wait_until(lambda: week.machine.count(run, dg.DagsterEventType.STEP_UP_FOR_RETRY), "a first try failed")
    week.let_a_minute_pass()
    week.told(UNREACHABLE)
    week.provider.start()
    if week.ended(run).status == FAILURE:  # its last try came too soon, on a machine that does much else
        later = AFTERNOON + timedelta(minutes=45)
        week.come_to(later)
        assert week.ran(PIPELINE, later).status == SUCCESS
    return [UNREACHABLE]


def fill_the_disk(week: Week) -> list[str]:
    """Until it was told, and would have been told again; the first run with room again succeeds."""
    week.come_to(EVENING, finding=week.disk.fill)
    assert week.ran(PIPELINE, EVENING).status == FAILURE
    for _ in range(2):
        week.let_the_sensor_tick()
    week.told(DISK_FULL)
    later = EVENING + timedelta(minutes=30)
    week.come_to(later, finding=week.disk.free)
    assert week.ran(PIPELINE, later).status == SUCCESS
    return [DISK_FULL]


def close_a_month(week: Week) -> list[str]:
    """On the sixth, when all of it is settled."""
    week.come_to(SIXTH)
    week.told("figures/stale", times=2)
    at_night, on_the_hour = SIXTH - timedelta(hours=4), SIXTH - timedelta(minutes=15)
    for schedule, since in ((PIPELINE, SIXTH), (NIGHTLY, at_night), (MONTHLY, on_the_hour)):
        assert week.ran(schedule, since).status == SUCCESS
    closed = week.machine.run("sms-etl", "close", "--month", "2026-01", "--json")
    assert closed.returncode == 0, closed.stdout
    assert json.loads(closed.stdout)["status"] == "closed"
    return ["figures/stale"]
