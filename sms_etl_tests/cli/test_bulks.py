"""`sms-etl bulks` as somebody uses it who sends a campaign: what they see, are asked, and never get twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_etl.cli import bulk_commands
from sms_etl.cli.commands import cli
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.campaigns.conftest import NUMBERS, sent_bulks
from sms_etl_tests.cli.running import Run, the_object
from sms_etl_tests.faults.proxy import Asked, Exchange, Fault, running_proxy

SALE = ("bulks", "create", "--sender", "ACME", "--text", "Sale!", "--recipients", "customers.csv")


@pytest.fixture(autouse=True)
def customers(tmp_path: Path) -> Path:
    file = tmp_path / "customers.csv"
    rows = [*NUMBERS, "015555 100001", "nobody"]
    file.write_text("phone\n" + "".join(f"{row}\n" for row in rows))
    return file


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "--sender", "ACME", "--text", "x"), "Give one of --recipients and --audience"),
        ((*SALE[1:], "--audience", "select 1"), "Give one of --recipients and --audience"),
        ((*SALE[1:], "--key", " "), "--key: give one line"),
        ((*SALE[1:], "--over-budget", ""), "--over-budget: give one line"),
        ((*SALE[1:], "--country", "Germany"), "no country"),
        ((*SALE[1:], "--at", "soon"), "is no time"),
        ((*SALE[1:-1], "nowhere.csv"), "cannot be opened"),
        (("status",), "Give one of the bulk's id and --key"),
        (("status", "abc"), "is not a valid UUID"),
        (("cancel", "--key", "k"), "Give --yes"),
        (("resolve", "--key", "k"), "Give one of --bulk ID and --not-sent"),
        (("opt-outs", "add", "nowhere.csv"), "cannot be opened"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, words: tuple[str, ...], says: str) -> None:
    result = run("bulks", *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_campaign_from_its_dry_run_to_what_it_came_to(
    synced: Run, provider: SandboxHandle, tmp_path: Path
) -> None:
    dry = the_object(synced(*SALE, "--json"))
    assert (dry["bulk_id"], dry["outcome"]) == (None, "dry_run")
    counts = {name: dry["dryrun"][name] for name in ("recipients", "invalid", "duplicates", "opted_out")}
    assert counts == {"recipients": 3, "invalid": 1, "duplicates": 1, "opted_out": 0}
    assert (dry["dryrun"]["cost"], dry["dryrun"]["currency"]) == ("0.211300", "EUR")

    sent = synced(*SALE, "--key", "sale", "--yes")
    assert sent.exit_code == 0
    assert "Cost by the account's latest prices: 0.211300 EUR" in sent.stdout
    assert "Row 6: it holds other characters" in sent.stderr
    assert not [number for number in NUMBERS if number in sent.output]
    assert "It was sent before" in synced(*SALE, "--key", "sale", "--yes").stdout
    [bulk] = [bulk for bulk in sent_bulks(provider) if bulk["text"] == "Sale!"]
    status = the_object(synced("bulks", "status", "--key", "sale", "--json"))
    assert (status["bulk_id"], status["status"]) == (bulk["uuid"], "new")

    now = provider.advance(timedelta(minutes=5))
    assert synced("sync", now=now.isoformat()).exit_code == 0
    shown = the_object(synced("bulks", "show", "sale", "--json"))
    assert (shown["status"], shown["messages"], shown["messages_planned"]) == ("processed", 3, 3)
    assert (shown["cost"], shown["cost_planned"]) == ("0.211300", "0.211300")
    performance = synced(
        "query",
        "--csv",
        "select cost_planned, cost from marts.bulk_performance where planned_by = 'campaign'",
    )
    assert performance.stdout.split() == ["cost_planned,cost", "0.211300,0.211300"]
    assert "sale" in synced("bulks", "list").stdout
    listed = synced("bulks", "list").stdout + synced("bulks", "list", "--live").stdout
    assert bulk["uuid"] in listed
    assert "NULL" not in listed


def test_a_campaign_over_budget_needs_a_reason(synced: Run, provider: SandboxHandle, tmp_path: Path) -> None:
    budgets = tmp_path / "data" / "seeds" / "budgets.csv"
    budgets.parent.mkdir()
    month = f"{provider.now():%Y-%m}-01"
    budgets.write_text(
        f"business_month,cost_centre,currency,amount\n{month},unassigned,EUR,0.1\n{month},Sales,EUR,9\n"
    )
    stale = synced(*SALE, "--yes")
    assert (stale.exit_code, "Run `sms-etl build`" in stale.stderr) == (3, True)
    assert synced("build").exit_code == 0
    refused = synced(*SALE, "--yes")
    assert refused.exit_code == 3
    assert "The budget of unassigned has 0.000000 EUR left" in refused.stderr
    assert '--over-budget "why"' in refused.stdout
    forced = the_object(synced(*SALE, "--yes", "--over-budget", "agreed with sales", "--json"))
    assert forced["outcome"] == "sent"
    assert forced["campaign"]["over_budget_reason"] == "agreed with sales"
    elsewhere = the_object(synced(*SALE, "--yes", "--cost-centre", "Sales", "--key", "b", "--json"))
    assert (elsewhere["outcome"], elsewhere["cost_centre_of_rules"]) == ("over_budget", "unassigned")
    assert {each["cost_centre"]: each["left"] for each in elsewhere["budgets"]}["Sales"] == "9.000000"
    assert elsewhere["budgets_as_of"]
    shown = synced(*SALE, "--cost-centre", "Sales", "--key", "b")
    assert "Rules charge its messages to unassigned, so that its budget is looked at, too" in shown.stdout
    assert "Budgets are those of the last build, as of " in shown.stdout
    misspelt = synced(*SALE, "--yes", "--cost-centre", "Sale", "--key", "c")
    assert (misspelt.exit_code, "the cost centre Sale: is it misspelt?" in misspelt.stderr) == (3, True)


def test_somebody_at_a_terminal_is_asked(
    run: Run, account: dict[str, str], provider: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(sent_bulks(provider))
    run("--version", **account)
    monkeypatch.setattr(bulk_commands, "_is_on_terminal", lambda: True)
    words = [*SALE, "--at", (provider.now() + timedelta(days=1)).isoformat(), "--key", "k"]
    no = CliRunner().invoke(cli, words, input="n\n")
    assert "Send it to 3 recipients?" in no.output
    assert (no.exit_code, "Nothing was sent." in no.output) == (1, True)
    assert len(sent_bulks(provider)) == before
    yes = CliRunner().invoke(cli, words, input="y\n")
    assert "Sent as bulk" in yes.output
    assert yes.output.count("3 recipients. Left out") == 1
    kept = CliRunner().invoke(cli, ["bulks", "cancel", "--key", "k"], input="n\n")
    assert "Cancel bulk" in kept.output
    assert (kept.exit_code, "Nothing was cancelled." in kept.output) == (1, True)
    stopped = CliRunner().invoke(cli, ["bulks", "cancel", "--key", "k"], input="y\n")
    assert "It was cancelled." in stopped.output
    again = CliRunner().invoke(cli, ["bulks", "cancel", "--key", "k", "--yes"])
    assert "It was cancelled before." in again.output


def test_an_answer_that_is_lost_on_the_way_sends_nothing_twice(
    run: Run, account: dict[str, str], provider: SandboxHandle
) -> None:
    before = len(sent_bulks(provider))
    with losing_answers_to_bulks(provider) as url:
        first = run(*SALE, "--yes", "--json", **{**account, "lox24_base_url": url})
    assert (first.exit_code, the_object(first)["outcome"]) == (0, "sent")
    assert the_object(first)["campaign"]["known_by"] == "search"
    again = the_object(run(*SALE, "--yes", "--json", **account))
    assert (again["outcome"], again["bulk_id"]) == ("sent_before", the_object(first)["bulk_id"])
    assert len(sent_bulks(provider)) == before + 1


def test_the_overview_tells_of_a_campaign_as_long_as_nobody_knows_whether_it_was_sent(
    synced: Run, provider: SandboxHandle, tmp_path: Path
) -> None:
    page = tmp_path / "data" / "reports" / "overview.html"
    said = "1 campaign of which it is not known whether it was sent"
    with losing_answers_to_bulks(provider, is_carried_out=False) as url:
        assert synced(*SALE, "--yes", "--key", "sale", lox24_base_url=url).exit_code == 3
    assert said in page.read_text(encoding="utf-8")
    assert the_object(synced("status", "--json"))["campaigns_unclear"] == ["sale"]
    assert synced("bulks", "resolve", "--key", "sale", "--not-sent").exit_code == 0
    assert said not in page.read_text(encoding="utf-8")


def test_opt_outs_are_added_counted_and_honoured(run: Run, account: dict[str, str], tmp_path: Path) -> None:
    stop = tmp_path / "stop.csv"
    stop.write_text("0155 5510 0001\nnobody\n")
    added = run("bulks", "opt-outs", "add", str(stop), **account)
    assert added.exit_code == 3
    assert "Added 1; 0 were there already." in added.stdout
    assert "Row 2" in added.stderr
    assert the_object(run("bulks", "opt-outs", "count", "--json"))["opted_out"] == 1
    assert the_object(run(*SALE, "--json"))["dryrun"]["opted_out"] == 1


def test_a_broken_line_among_the_opt_outs_is_named_wherever_somebody_looks(
    synced: Run, tmp_path: Path
) -> None:
    dry_runs = 1
    before = the_object(synced("status", "--json"))
    assert before["opt_outs_error"] is None
    assert len(the_object(synced("bulks", "list", "--json"))["bulks"]) == before["bulks"]
    assert the_object(synced("query", "--json", "select count(*) as n from marts.fct_bulk"))["rows"] == [
        [before["bulks"] + dry_runs]
    ]
    file = tmp_path / "data" / "seeds" / "opt_outs.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"phone_hash\n{NUMBERS[0]}\n")
    for words in (SALE, ("bulks", "opt-outs", "count"), ("bulks", "opt-outs", "add", "customers.csv")):
        refused = synced(*words)
        assert refused.exit_code == 2
        assert f"{file}:2: phone_hash is no keyed hash" in refused.stderr
        assert "Delete the line" in refused.stderr
    status = synced("status")
    assert status.exit_code == 3
    assert "opt_outs.csv:2" in status.stdout
    (found,) = [
        each for each in the_object(synced("doctor", "--json"))["findings"] if each["subject"] == "opt-outs"
    ]
    assert (found["is_ok"], NUMBERS[0] in str(found)) == (False, False)
    file.write_text("phone_hash\n")
    assert the_object(synced("status", "--json"))["opt_outs_error"] is None
    assert synced(*SALE).exit_code == 0


def test_a_text_that_needs_unicode_says_why(run: Run, account: dict[str, str]) -> None:
    result = run(
        "bulks", "create", "--recipients", "customers.csv", "--sender", "ACME", "--text", "„Sale“", **account
    )
    assert "6 characters as Unicode: 1 part a message, 3 in all." in result.stdout
    assert "U+201E DOUBLE LOW-9 QUOTATION MARK" in result.stdout
    assert "What it costs is not known" in result.stdout or "Cost by LOX24's dry run" in result.stdout


def test_an_audience_needs_numbers_that_are_kept(run: Run, account: dict[str, str]) -> None:
    words = ("bulks", "create", "--sender", "ACME", "--text", "x", "--audience", "select phone from raw.sms")
    result = run(*words, **account)
    assert result.exit_code == 2
    assert "SMS_ETL_PII=pseudonymise" in result.stderr
    assert run("sync", "--no-build", pii="keep").exit_code == 0
    assert the_object(run(*words, "--json"))["dryrun"]["recipients"] > 10


@contextmanager
def losing_answers_to_bulks(provider: SandboxHandle, *, is_carried_out: bool = True) -> Iterator[str]:
    """Serve the provider, but break the connection in place of the answer to `POST /bulks`."""

    async def lose(exchange: Exchange) -> bool:
        if is_carried_out:
            await exchange.upstream()
        exchange.writer.transport.abort()
        return False

    def plan(asked: Asked) -> Fault | None:
        is_it = asked.head.startswith("POST /bulks ")
        return Fault("the answer is lost", lose) if is_it else None

    with running_proxy(provider.url) as proxy:
        proxy.begin(plan)
        yield proxy.url
