"""`sandbox`, and what its settings lead to."""

import re
import socket
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from sms_etl_tests.cli.running import Run, the_object


def test_the_sandbox_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sms_etl", "sandbox", "--port", "0", "--messages", "100"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(6))
        time.sleep(0.1)
        process.terminate()
    assert re.search(r"SMS_ETL_LOX24_BASE_URL=http://127\.0\.0\.1:\d+", said)
    assert "SMS_ETL_LOX24_TOKEN=" in said
    assert re.search(r"SMS_ETL_TWOSMS_BASE_URL=http://127\.0\.0\.1:\d+", said)
    assert "SMS_ETL_TWOSMS_CLIENT_ID=sandbox\n" in said
    assert "SMS_ETL_TWOSMS_CLIENT_SECRET=sandbox-secret\n" in said
    assert said.endswith("End it with Ctrl-C.\n")


def test_the_sandbox_sends_events_only_with_the_webhooks_secret(run: Run) -> None:
    refused = run("sandbox", "--port", "0", "--webhook-port", "8025")
    assert refused.exit_code == 2
    assert "SMS_ETL_WEBHOOK_SECRET is not set" in refused.stderr


def test_the_webhook_starts_only_with_a_secret_and_on_a_free_port(run: Run) -> None:
    refused = run("webhook", "--port", "0")
    assert refused.exit_code == 2
    assert "secrets.token_urlsafe(32)" in refused.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("webhook", "--port", str(taken.getsockname()[1]), webhook_secret="0123456789abcdef")
    assert refused.exit_code == 2
    assert "cannot be used: Address already in use" in refused.stderr


def test_a_decimal_is_never_shown_as_a_power_of_ten(synced: Run) -> None:
    assert "0.000001" in synced("query", "select cast(0.000001 as decimal(18,6))").stdout
    assert Decimal(
        the_object(synced("query", "--json", "select 0.000001::decimal(18,6)"))["rows"][0][0]
    ) == Decimal("0.000001")


def test_sync_and_doctor_say_so_where_an_env_file_says_where_the_environments_token_goes(
    run: Run, account: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "named.env"
    file.write_text(f"SMS_ETL_LOX24_BASE_URL={account.pop('lox24_base_url')}\n")
    monkeypatch.setenv("SMS_ETL_ENV_FILE", str(file))
    synced = run("sync", "--no-build", "--json", **account)
    assert the_object(synced)["rows_new"] > 0
    assert synced.stderr.startswith(
        "The token of SMS_ETL_LOX24_TOKEN in the environment goes to http://127.0"
    )
    found = {each["subject"]: each for each in the_object(run("doctor", "--json"))["findings"]}
    assert "in the environment goes to http://127.0" in found["settings"]["says"]
