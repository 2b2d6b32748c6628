"""The files to deploy with: each is read as its program reads it, and names what is there."""

import os
import re
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from sms_etl.settings import ENV_FILE, SECRETS_DIR, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROGRAMS = Path(sys.executable).parent
SETTINGS = {f"SMS_ETL_{name.upper()}" for name in Settings.model_fields} | {ENV_FILE, SECRETS_DIR}


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names have capitals
    parser.read_string(path.read_text())
    return parser


def composition() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
    return loaded


def test_the_instance_of_a_server_lets_one_run_write_and_sends_no_telemetry(
    tmp_path: Path,
) -> None:
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert (pools.default_pool_limit, str(pools.pool_granularity)) == (1, "PoolGranularity.RUN")
        assert not instance.telemetry_enabled
        assert instance.run_retries_enabled
        assert instance.run_monitoring_enabled


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_runs_a_program_of_ours_without_rights_and_with_secrets_from_files(path: Path) -> None:
    service = unit(path)["Service"]
    assert (service["User"], service["NoNewPrivileges"], service["UMask"]) == ("sms-etl", "true", "0077")
    assert service["LimitCORE"] == "0", "a crash dump would hold the token"
    program = Path(service["ExecStart"].split()[0])
    assert program.parent == Path("/opt/sms-etl/bin")
    assert os.access(PROGRAMS / program.name, os.X_OK)
    assert "TOKEN" not in service["ExecStart"]


def test_the_webserver_is_read_only_and_listens_on_this_machine() -> None:
    command = unit(DEPLOY / "systemd" / "sms-etl-webserver.service")["Service"]["ExecStart"]
    assert "--read-only" in command
    assert "-h 127.0.0.1" in command
    proxy = (DEPLOY / "nginx.conf").read_text()
    assert "proxy_pass http://127.0.0.1:3000;" in proxy
    assert "auth_basic_user_file" in proxy
    assert "server_tokens off;" in proxy


def test_the_timer_starts_a_unit_that_is_there() -> None:
    assert (DEPLOY / "systemd" / "sms-etl-sync.service") in UNITS
    assert unit(DEPLOY / "systemd" / "sms-etl-sync.timer")["Timer"]["OnCalendar"] == "*:0/15"


def test_a_container_has_no_rights_and_is_reached_from_this_machine_only() -> None:
    services = composition()["services"]
    assert set(services) == {"daemon", "webserver"}
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["ulimits"] == {"core": 0}, "a crash dump would hold the token"
        assert not any("TOKEN" in name for name in service["environment"])
    assert services["webserver"]["ports"] == ["127.0.0.1:3000:3000"]
    assert "--read-only" in services["webserver"]["command"]
    assert "secrets" not in services["webserver"]


def test_the_image_copies_what_is_there_and_runs_for_a_user_without_rights() -> None:
    lines = (DEPLOY / "docker" / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    names = [name for line in copied for name in line if not name.startswith("--")]
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert [line for line in lines if line.startswith("USER")][-1] == "USER 10001"


def test_every_setting_that_is_named_there_is_one() -> None:
    text = "\n".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    named = {name.rstrip("_") for name in re.findall(r"SMS_ETL_[A-Z0-9_]+", text)}
    assert named
    assert named <= SETTINGS
