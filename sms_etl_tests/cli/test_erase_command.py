"""`sms-etl erase` as a person meets it: usage, exit codes, one JSON object, questions, no number anywhere."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_etl.cli import erase_command
from sms_etl.cli.commands import cli
from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl_tests.cli.running import Run, the_object

PHONE = "+4915799887766"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Give --phone or --file."),
        (("--phone", PHONE, "--file", "x"), "Give --phone or --file."),
        (("--phone", PHONE, "--yes"), "--yes and --erasure go with --apply."),
        (("--phone", PHONE, "--erasure", "x"), "is not a valid UUID"),
        (("--file", "nothing.txt"), "cannot be read: No such file or directory"),
        (("--phone", "0157 99887766"), "What --phone gives is a number without its country"),
    ],
)
def test_wrong_usage_ends_with_2_and_quotes_no_number(run: Run, words: tuple[str, ...], says: str) -> None:
    refused = run("erase", *words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert says in refused.stderr
    assert "99887766" not in refused.stderr


def test_a_bad_line_of_a_file_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text(f"{PHONE}\nErika\n")
    assert "Line 2 is no phone number" in run("erase", "--file", str(file)).stderr
    file.write_bytes(b"\xff\xfe")
    assert "is no text in UTF-8" in run("erase", "--file", str(file)).stderr


def test_a_person_is_planned_refused_asked_for_and_erased(
    run: Run,
    account: dict[str, str],
    provider: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    old = to_unix(provider.now() - timedelta(days=3))
    final = {"created_at": old, "status_code": 100, "dlr_code": 1, "is_sent": True, "gateway_sent_at": old}
    provider.insert(*({**final, "phone": PHONE, "text": "Hi"} for _ in range(2)))
    assert run("sync", "-vv", **account).exit_code == 0
    printed: list[str] = []

    def erase(*words: str, given: str | None = None) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["erase", "-vv", *words], input=given, catch_exceptions=False)
        printed.append(result.output)
        return result.exit_code, result.stdout

    refused, _ = erase("--phone", PHONE, "--apply", "--json")
    assert refused == 2, "it was shown to nobody yet"
    assert "Run the same command without --apply" in printed[-1]

    code, shown = erase("--file", "-", given=f"{PHONE}\n")
    assert code == 0
    assert "Would erase 2 messages" in " ".join(shown.split())
    assert "Nothing was changed" in shown
    with monkeypatch.context() as patched:
        patched.setattr(erase_command, "_is_terminal", lambda: True)
        code, _ = erase("--phone", PHONE, "--apply", given="n\n")
        assert code == 1
        assert "Erase this for good?" in printed[-1]
    code, shown = erase("--phone", PHONE, "--json")
    plan = json.loads(shown)
    assert (code, plan["messages"], plan["applied"]) == (0, 2, False)
    code, shown = erase("--file", "-", "--apply", "--erasure", plan["erasure_id"], "--json", given=PHONE)
    done = json.loads(shown)
    assert (code, done["erasure_id"], done["messages"], done["applied"]) == (0, plan["erasure_id"], 2, True)
    assert not [message for message in provider.truth_sms() if message["phone"] == PHONE]
    assert Path(done["receipt"]).exists()
    assert erase("--phone", PHONE, "--apply", "--yes")[0] == 2, (
        "of what there is now nobody was shown anything"
    )
    assert erase("--phone", PHONE)[0] == 0
    code, shown = erase("--phone", PHONE, "--apply", "--yes")
    assert code == 0
    assert "Erased 0 messages" in shown
    assert run("sync").exit_code == 0
    assert the_object(run("status", "--json"))["personal_data"] == "pseudonymise"
    assert "99887766" not in "".join(printed)
    texts = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not [text for text in texts if b"99887766" in text]
