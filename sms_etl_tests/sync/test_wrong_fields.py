"""Holds what becomes of every field of a message with every wrong value: a reason, and no harm to others."""

from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sms_etl.cli.commands import cli
from sms_etl.clock import to_unix
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask

TEXT, NUMBER = "surprise4917612345678", 4917612345678
ARRAY, OBJECT = [TEXT], {"value": TEXT}
ISO_DATE = "2026-01-31T12:00:00+00:00"
HUGE = 10**30

INTEGER = {"text": TEXT, "digits": "17", "fraction": 1.5, "boolean": True, "array": ARRAY, "object": OBJECT}
STRING = {"number": NUMBER, "boolean": True, "array": ARRAY, "object": OBJECT}
BOOLEAN = {"0": 0, "1": 1, "text": "true", "array": ARRAY, "object": OBJECT}
TIME = INTEGER | {"ISO date": ISO_DATE, "negative": -1, "huge": HUGE}
COUNT = INTEGER | {"negative": -1, "huge": HUGE, "beyond 32 bits": 2**31}
CODE = INTEGER | {"huge": HUGE, "beyond 32 bits": 2**31}
UNBOUNDED = INTEGER | {"huge": HUGE, "beyond 64 bits": 2**63}
REQUIRED = {"null": None}
WRONG: dict[str, dict[str, Any]] = {
    "uuid": STRING | REQUIRED | {"text": TEXT, "empty": ""},
    "created_at": TIME | REQUIRED | {"0": 0},
    "delivery_at": TIME,
    "gateway_sent_at": TIME,
    "status_code": CODE,
    "dlr_code": CODE,
    "parts_count": COUNT,
    "chars_count": COUNT,
    "attempts_count_max": INTEGER | {"negative": -1, "beyond 16 bits": 2**15},
    "key_id": UNBOUNDED,
    "source": UNBOUNDED,
    "is_sent": BOOLEAN,
    "is_text_deleted": BOOLEAN,
    "is_unicode": BOOLEAN,
    "price": {
        "text": "0.056",
        "boolean": True,
        "array": ARRAY,
        "object": OBJECT,
        "negative": -1,
        "huge": HUGE,
    }
    | {"seven decimals": 0.1234567},
    "iso2": STRING | {"three letters": "DEU", "digits": "49"},
    "bulk_id": STRING | {"text": TEXT},
    "text": STRING,
    "phone": STRING,
    "sender_id": STRING,
    "service_code": STRING,
    "voice_lang": STRING,
    "callback_data": STRING,
    "ip": STRING,
}
"""By field of the provider's reference: each value it must not have."""
CASES = [(name, kind, value) for name, values in WRONG.items() for kind, value in values.items()]
GOOD = 3


@dataclass
class Case:
    """An account with a row for each wrong value, and commands on it."""

    settings: Settings
    provider: SandboxHandle
    environment: dict[str, str]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, list(words), env=self.environment, catch_exceptions=False)


@pytest.fixture
def case(empty_provider: SandboxHandle, settings_at: SettingsAt) -> Case:
    settings = settings_at(empty_provider)
    environment = {
        "SMS_ETL_DATA_DIR": str(settings.data_dir),
        "SMS_ETL_LOX24_TOKEN": empty_provider.token,
        "SMS_ETL_LOX24_BASE_URL": empty_provider.url,
        "SMS_ETL_NOW": empty_provider.now().isoformat(),
    }
    return Case(settings, empty_provider, environment)


def test_every_wrong_value_of_every_field_is_a_reason_that_names_the_field_and_the_rest_loads(
    case: Case,
) -> None:
    now = to_unix(case.provider.now())
    # A second each, by which a row without its uuid is found again.
    inserted = [
        {"created_at": now - 5000 + number, "extra": {name: value}}
        for number, (name, _, value) in enumerate(CASES)
    ]
    case.provider.set_switches(page_size=100)
    case.provider.insert(*inserted, *({"created_at": now - number} for number in range(GOOD)))
    result = case.run("sync", "--no-build", "--json")
    assert result.exit_code == 3, result.output
    assert ask(case.settings, "select count(*) from raw.sms") == [(GOOD,)]
    kept = ask(
        case.settings,
        "select reason, coalesce(raw ->> 'created_at', '') from ops.quarantine order by rowid",
    )
    assert len(kept) == len(CASES)
    unmet = [(name, kind) for name, kind, _ in CASES if not any(f"`$.{name}" in why for why, _ in kept)]
    assert unmet == []
    by_second = {second: why for why, second in kept}
    for number, (name, kind, _) in enumerate(CASES):
        if name != "created_at":
            assert f"`$.{name}" in by_second[str(now - 5000 + number)], (name, kind)
    reasons = " ".join(why for why, _ in kept)
    for value in (TEXT, str(NUMBER), ISO_DATE, str(HUGE), "DEU"):
        assert value not in reasons
    assert str(NUMBER) not in case.run("quarantine", "list").stdout

    assert case.run("status").exit_code == 3
    ids = [str(id_) for (id_,) in ask(case.settings, "select quarantine_id from ops.quarantine")]
    assert case.run("quarantine", "accept", *ids, "--reason", "a rehearsal").exit_code == 0
    assert case.run("status").exit_code == 0
    assert case.run("sync", "--no-build").exit_code == 0


def test_a_field_that_is_missing_or_null_costs_no_row_but_for_uuid_and_time(case: Case) -> None:
    now = to_unix(case.provider.now())
    names = [name for name in WRONG if name not in {"uuid", "created_at"}]
    case.provider.insert(*({"created_at": now, "extra": {name: None}} for name in names))
    assert case.run("sync", "--no-build").exit_code == 0
    assert ask(case.settings, "select count(*) from raw.sms") == [(len(names),)]


@pytest.mark.parametrize("source", [2**31, 2**63 - 1, -(2**63), -1])
def test_a_source_of_any_size_up_to_64_bits_is_stored_as_it_is(case: Case, source: int) -> None:
    case.provider.insert({"created_at": to_unix(case.provider.now()), "extra": {"source": source}})
    assert case.run("sync").exit_code == 0
    assert ask(case.settings, "select source from raw.sms") == [(source,)]
    assert ask(case.settings, "select source from marts.fct_sms") == [(source,)]


@pytest.mark.parametrize(
    ("written", "stored"),
    [("0.21000000000000002", "0.210000"), ("5.6E-2", "0.056000"), ("1e-2", "0.010000")],
)
def test_a_price_is_stored_as_it_was_meant(case: Case, written: str, stored: str) -> None:
    case.provider.insert({"created_at": to_unix(case.provider.now()), "price": written})
    assert case.run("sync", "--no-build").exit_code == 0
    assert [str(price) for (price,) in ask(case.settings, "select price from raw.sms")] == [stored]


def test_a_negative_price_of_older_data_blocks_publishing(case: Case) -> None:
    case.provider.insert({"created_at": to_unix(case.provider.now()), "status_code": 100, "dlr_code": 1})
    assert case.run("sync").exit_code == 0
    with Warehouse.of(case.settings).begin() as transaction:
        transaction.run("update raw.sms set price = -0.056")
    result = case.run("build")
    assert result.exit_code == 3
    assert "stg_sms: price_at_least, 1 row). Nothing was published" in " ".join(result.stdout.split())
