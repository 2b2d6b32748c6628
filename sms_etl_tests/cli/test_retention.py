"""Holds what somebody meets who runs retention by hand, from the policy to the signed receipt."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from sms_etl.cli.demo import make_room
from sms_etl.clock import to_unix
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.cli.running import Clerk, Run, clerk_of, the_object
from sms_etl_tests.retention.office import Office, opened, prepared, uuids_of

JANUARY = "2026-01"
RULE = '[[rule]]\nname = "old"\ntarget = "provider"\nolder_than = "30d"\n'


@pytest.fixture
def provider() -> Iterator[SandboxHandle]:
    """An account of January, ten weeks later."""
    account = AccountParameters(messages=60, days=30, days_after=0)
    with running_sandbox(account=account, switches=SandboxSwitches(page_size=50)) as handle:
        handle.advance(timedelta(days=70))
        yield handle


@pytest.fixture
def clerk(run: Run, provider: SandboxHandle) -> Clerk:
    return clerk_of(run, provider, pii="keep")


def test_a_closed_months_messages_are_deleted_at_the_provider_and_no_figure_moves(
    clerk: Clerk, provider: SandboxHandle, tmp_path: Path
) -> None:
    assert clerk("sync")[0] == 0
    data = tmp_path / "data"
    (data / "retention.toml").write_text(RULE + "require_closed = true\n", encoding="utf-8")
    _, plan = clerk("retention", "plan")
    assert (plan["messages"], set(plan["held_back"])) == (0, {"month_not_closed"})

    code, closed = clerk("close", "--month", JANUARY, "--force", "--reason", "a rehearsal")
    assert (code, closed["status"]) == (0, "closed")
    _, report = clerk("report", "--month", JANUARY, "--format", "csv")
    before = [Path(file).read_bytes() for file in report["files"]]
    held = provider.truth_sms()[5]["uuid"]
    code, hold = clerk("retention", "hold", "add", "--uuid", held, "--reason", "complaint 17")
    assert (code, hold["holds"][0]["messages"]) == (0, 1)

    _, plan = clerk("retention", "plan")
    count = plan["messages"]
    assert count > 0
    assert plan["held_back"]["on_hold"] == 1
    assert plan["rules"][0]["name"] == "old"
    there = provider.truth()["messages"]
    code, applied = clerk("retention", "apply", "--plan", plan["plan_id"])
    assert (code, applied["deleted"], applied["confirmed"], applied["skipped"]) == (0, count, count, {})
    assert provider.truth()["messages"] == there - count
    assert held in {row["uuid"] for row in provider.truth_sms()}

    code, verified = clerk("retention", "verify")
    assert (code, verified["is_whole"], verified["unfinished"]) == (0, True, 0)
    code, receipt = clerk("retention", "receipt", "--plan", plan["plan_id"])
    page = Path(receipt["file"]).read_text(encoding="utf-8")
    assert code == 0
    assert verified["head"] in page
    assert "signature" in page
    assert "Of account 4711 at http://127.0.0.1" in page
    assert "SANDBOX" in page
    assert not any(row["phone"] in page for row in provider.truth_sms())

    code, synced = clerk("sync", "--reconcile", "--days", "120")
    assert (code, synced["rows_gone"], synced["differences"]) == (0, 0, 0)
    assert synced["build"]["corrections"] == 0
    _, again = clerk("report", "--month", JANUARY, "--format", "csv")
    assert again["digest"] == report["digest"]
    assert [Path(file).read_bytes() for file in again["files"]] == before

    code, removed = clerk("retention", "hold", "remove", hold["hold_id"], "--reason", "settled")
    assert (code, removed["removed_reason"]) == (0, "settled")
    assert clerk("retention", "hold", "list")[1] == {"holds": []}
    assert clerk("retention", "plan")[1]["messages"] == 1


@pytest.fixture(scope="module")
def prepared_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMS_ETL_ENV_FILE", "/dev/null")
        with prepared(tmp_path_factory.mktemp("prepared") / "data") as office:
            yield office


@pytest.fixture
def office(prepared_office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An account that is loaded and built, and the settings to run commands on it."""
    monkeypatch.setenv("SMS_ETL_LOX24_TOKEN", prepared_office.provider.token)
    monkeypatch.setenv("SMS_ETL_LOX24_BASE_URL", prepared_office.provider.url)
    monkeypatch.setenv("SMS_ETL_NOW", prepared_office.provider.now().isoformat())
    monkeypatch.setenv("SMS_ETL_PII_KEY", "k" * 32)
    return opened(prepared_office, tmp_path / "data")


def test_the_plan_is_shown_with_what_to_run_next(run: Run, office: Office) -> None:
    office.policy(RULE)
    result = run("retention", "plan")
    assert result.exit_code == 0
    for shown in ("old", "12", "EUR 0.894000", "no price", "sms-etl retention apply --plan"):
        assert shown in result.stdout


def test_without_a_policy_it_says_where_rules_are_looked_for(run: Run, office: Office) -> None:
    result = run("retention", "plan")
    assert (result.exit_code, "There are no rules in" in result.stdout) == (0, True)


@pytest.mark.parametrize("is_deleted", [True, False], ids=["yes", "no"])
def test_on_a_terminal_it_shows_the_plan_and_asks(
    run: Run, office: Office, monkeypatch: pytest.MonkeyPatch, is_deleted: bool
) -> None:
    def answered(_question: str, *, default: bool, err: bool) -> bool:
        assert (default, err) == (False, True)
        return is_deleted

    plan = office.plan(RULE)
    monkeypatch.setattr("sms_etl.cli.retention_commands.is_at_a_terminal", lambda: True)
    monkeypatch.setattr("click.confirm", answered)
    result = run("retention", "apply", "--plan", str(plan.plan_id))
    assert "EUR 0.894000" in result.stderr
    assert result.exit_code == (0 if is_deleted else 1)
    assert ("Nothing was deleted." in result.stderr) is not is_deleted
    assert (uuids_of("login")[0] not in office.at_provider()) is is_deleted


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("apply",), 2, "--plan"),
        (("apply", "--plan", "1f0c"), 2, "not a valid UUID"),
        (("apply", "--plan", "1f0c8a2e-7c1d-4f0e-9a57-0d3c5b1e2f44"), 2, "sms-etl retention plan"),
        (("receipt", "--plan", "1f0c8a2e-7c1d-4f0e-9a57-0d3c5b1e2f44"), 2, "no row of"),
        (("hold", "add", "--reason", "x"), 2, "Say what is to be held"),
        (("hold", "add", "--key", "7", "--reason", " "), 2, "say why"),
        (("hold", "add", "--key", "7", "--reason", "x", "--ends", "2020-01-01"), 2, "lies in the past"),
        (
            ("hold", "add", "--since", "2026-02-01", "--until", "2026-01-01", "--reason", "x"),
            2,
            "lies after --until",
        ),
        (("hold", "add", "--since", "yesterday", "--reason", "x"), 2, "2026-01-31T08:00:00+01:00"),
        (("hold", "remove", "1f0c8a2e", "--reason", "x"), 2, "hold list"),
        (("verify", "--accept", " "), 2, "say why"),
    ],
)
def test_wrong_input_is_told_with_what_to_do(
    run: Run, office: Office, words: tuple[str, ...], code: int, says: str
) -> None:
    result = run("retention", *words)
    assert (result.exit_code, says in result.stderr) == (code, True), result.stderr


def test_a_policy_that_is_wrong_is_told_with_its_line(run: Run, office: Office) -> None:
    office.policy(RULE + "older = 3\n")
    result = run("retention", "plan")
    assert result.exit_code == 2
    assert "retention.toml, line 5: older is not known here; did you mean older_than?" in result.stderr


def test_a_ledger_that_was_changed_exits_with_3_until_that_is_accepted(run: Run, office: Office) -> None:
    office.apply(office.plan(RULE))
    with duckdb.connect(str(office.warehouse.path)) as connection:
        connection.execute("update ops.deletion set rule = 'another' where sequence = 2")
    result = run("retention", "verify")
    assert (result.exit_code, "row 2 is not as it was written" in result.stdout) == (3, True)
    assert run("retention", "receipt").exit_code == 3
    accepted = run("retention", "verify", "--accept", "we know who it was", "--json")
    assert (accepted.exit_code, the_object(accepted)["is_whole"]) == (0, True)


def test_a_plan_that_was_changed_exits_with_3(run: Run, office: Office) -> None:
    plan = office.plan(RULE)
    office.policy(RULE.replace("30d", "31d"))
    result = run("retention", "apply", "--plan", str(plan.plan_id))
    assert (result.exit_code, "The policy was changed" in result.stderr) == (3, True)


def test_a_demo_that_starts_over_leaves_no_hash_of_the_ledger_before(office: Office) -> None:
    office.apply(office.plan(RULE))
    make_room(office.settings)
    assert not office.warehouse.exists
    assert office.ledger.verify().is_whole


@pytest.mark.parametrize(
    ("since", "until", "since_at", "until_at"),
    [
        ("2026-01-01", "2026-01-31", "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"),
        ("2026-01-01T08:00", "2026-01-31T00:00:00", "2026-01-01T08:00:00+00:00", "2026-01-31T00:00:00+00:00"),
        (
            "2026-01-01 08:00:30",
            "2026-01-31T09:00+01:00",
            "2026-01-01T08:00:30+00:00",
            "2026-01-31T08:00:00+00:00",
        ),
    ],
)
def test_a_hold_takes_dates_and_times_in_every_form(
    run: Run, office: Office, since: str, until: str, since_at: str, until_at: str
) -> None:
    words = ("--since", since, "--until", until, "--reason", "audit", "--json")
    [hold] = the_object(run("retention", "hold", "add", *words))["holds"]
    assert (hold["since_at"], hold["until_at"]) == (since_at, until_at)


def test_a_plan_names_senders_that_occur_nowhere_and_why_files_stay(run: Run, office: Office) -> None:
    office.policy(
        RULE + 'sender_id = ["LOGIN", "LOGINN", "+4915112345678"]\nkey_id = [1, 77]\n'
        '[[rule]]\nname = "files"\ntarget = "landing"\nolder_than = "30d"\n'
    )
    result = run("retention", "plan")
    for shown in (
        "no stored message has sender_id LOGINN",
        "has key_id 77",
        "Files that files leaves",
        "younger",
    ):
        assert shown in result.stdout
    assert "15112345678" not in result.stdout
    shown = the_object(run("retention", "plan", "--json"))["rules"]
    assert shown[0]["never_seen"]["key_id"] == ["77"]
    assert (shown[1]["files"], shown[1]["files_kept"]) == (0, {"holds_others": len(office.files())})


def test_holds_outlive_an_older_backup_that_is_restored(run: Run, office: Office) -> None:
    backup = office.warehouse.path.read_bytes()
    first, second = (
        the_object(run("retention", "hold", "add", "--uuid", uuid, "--reason", "complaint", "--json"))[
            "holds"
        ][0]
        for uuid in uuids_of("login")[:2]
    )
    run("retention", "hold", "remove", second["hold_id"], "--reason", "settled")
    office.warehouse.path.write_bytes(backup)
    plan = office.plan(RULE)
    assert (plan.messages, plan.held_back["on_hold"]) == (11, 1)
    [left] = the_object(run("retention", "hold", "list", "--json"))["holds"]
    assert (left["hold_id"], left["reason"]) == (first["hold_id"], "complaint")
    again = run("retention", "hold", "remove", first["hold_id"], "--reason", "settled", "--json")
    assert again.exit_code == 0
    assert office.plan(RULE).messages == 12


def test_a_damaged_file_of_holds_is_named_with_what_to_do(run: Run, office: Office) -> None:
    run("retention", "hold", "add", "--key", "1", "--reason", "complaint")
    path = office.warehouse.path.with_name("warehouse.duckdb.holds")
    path.write_bytes(b"{")
    office.policy(RULE)
    result = run("retention", "plan")
    assert (result.exit_code, "is damaged" in result.stderr, "remove the file" in result.stderr) == (
        1,
        True,
        True,
    )
    path.unlink()
    assert run("retention", "plan").exit_code == 0
    assert path.exists()


def test_messages_are_cancelled_by_uuid_once_somebody_says_so(
    run: Run, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = to_unix(office.provider.now())
    waiting = {"created_at": now, "delivery_at": now + 3600, "phone": "+4917612345678", "status_code": 0}
    uuids = office.provider.insert(*(dict(waiting) for _ in range(2)))
    file = tmp_path / "uuids.txt"
    file.write_text("\n".join([*uuids, "", uuids_of("login")[0]]), encoding="utf-8")
    words = ("bulks", "cancel-messages", "--file", str(file))

    shown = run(*words)
    assert (shown.exit_code, "2 messages can be cancelled." in shown.stdout) == (0, True)
    assert "Nothing was cancelled." in shown.stdout
    monkeypatch.setattr("sms_etl.cli.cancel_command.is_at_a_terminal", lambda: True)
    monkeypatch.setattr("click.confirm", lambda question, **_: "Cancel 1 message for good?" not in question)
    declined = run("bulks", "cancel-messages", "--uuid", uuids[0])
    assert (declined.exit_code, "Nothing was cancelled." in declined.stderr) == (1, True)
    done = run(*words, "--yes", "--json")
    assert (done.exit_code, the_object(done)["cancelled"], the_object(done)["others"]) == (3, 2, {"sent": 1})
    assert run("retention", "receipt", "--plan", the_object(done)["plan_id"]).exit_code == 0
    again = run("bulks", "cancel-messages", "--uuid", uuids[0], "--yes")
    assert (again.exit_code, "- 1: cancelled before" in again.stdout) == (0, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Say which messages"),
        (("--file", "nowhere.txt"), "cannot be read"),
        (("--uuid", "1f0c"), "not a valid UUID"),
    ],
)
def test_what_is_to_be_cancelled_must_be_named(run: Run, words: tuple[str, ...], says: str) -> None:
    result = run("bulks", "cancel-messages", *words)
    assert (result.exit_code, says in result.stderr) == (2, True)


def test_a_file_of_uuids_is_told_with_the_line_that_is_none(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "uuids.txt"
    for text, says in (("\n+4917612345678\n", "line 2: that is no uuid"), ("\n", "holds no uuid")):
        file.write_text(text, encoding="utf-8")
        result = run("bulks", "cancel-messages", "--file", str(file))
        assert (result.exit_code, says in result.stderr, "4917612345678" in result.stderr) == (2, True, False)
