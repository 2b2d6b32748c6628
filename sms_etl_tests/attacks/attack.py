"""Runs the commands on a stand-in, and tells what became of each row."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from sms_etl.cli.commands import cli
from sms_etl.providers.lox24.client import Lox24Client
from sms_etl.providers.retrying import RetryPolicy
from sms_etl.sync import parts
from sms_etl_tests.attacks.good_rows import NOW
from sms_etl_tests.attacks.stand_in import TOKEN, Row, StandIn
from sms_etl_tests.provider_truth import BULK_AS_SENT, SMS_AS_SENT

CODE_COLUMNS = ("service_code", "voice_lang")

DONE, REFUSED, NEEDS_ATTENTION = 0, 1, 3
OVERLAP = timedelta(minutes=10)
"""Shorter than what lies before a poisoned row: only a replay or a settlement finds it again."""
POLICY_DECIDES = {"ip", "callback_data", "sender_id"}
"""Columns of which the policy for personal data may keep a hash, or nothing."""
_WORD = re.compile(r"[^\W_]{4,}")
_NAME = re.compile(r'"[^"]*"\s*:')
_KNOWN = {*SMS_AS_SENT, *BULK_AS_SENT, "uuid", "phone", "text", "price", "bulk_id", "msg_total_cost"}
_TIMES = ("created_at", "delivery_at", "gateway_sent_at")
_OF_THE_REASON = re.compile(rf"`\$\.({'|'.join([*_KNOWN, *_TIMES, 'processed_at'])})`|[<>]=? -?[0-9.]+")
"""A field, or a bound it is to keep."""
_OF_THE_FORMAT = re.compile(
    r"(?i)uuid|price|text|true|null|array|object|number|field|value|name|direct|acme|inner|code|date|html|utf8|bulk"
)


def environment(provider: StandIn, data_dir: Path, *, now: datetime = NOW, **more: str) -> dict[str, str]:
    """Return the settings of somebody who uses the stand-in, and no other ones of ours."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SMS_ETL_")},
        "SMS_ETL_ENV_FILE": os.devnull,
        "SMS_ETL_LOX24_TOKEN": TOKEN,
        "SMS_ETL_LOX24_BASE_URL": provider.url,
        "SMS_ETL_DATA_DIR": str(data_dir),
        "SMS_ETL_OVERLAP": f"{int(OVERLAP.total_seconds())}s",
        "SMS_ETL_START": "2026-01-20",
        "SMS_ETL_NOW": now.isoformat(),
        **more,
    }


@contextmanager
def _impatient() -> Iterator[None]:
    """Let the client wait for nothing before it tries again; how often it tries stays as it is."""

    async def at_once(_seconds: float) -> None:
        return None

    def client(*arguments: Any, **options: Any) -> Lox24Client:
        policy = replace(RetryPolicy(), attempts=2)
        return Lox24Client(*arguments, **{**options, "retry": policy, "sleep": at_once})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "Lox24Client", client)
        yield


@dataclass
class Attack:
    """A stand-in and a data directory, over several runs."""

    provider: StandIn
    data_dir: Path
    policy: str = "pseudonymise"
    now: datetime = NOW

    def run(self, *words: str, is_poisoned: bool) -> Result:
        """Run a command in this process, whose own settings do not reach it."""
        self.provider.begin(is_poisoned=is_poisoned)
        kept_out: dict[str, str | None] = {name: None for name in os.environ if name.startswith("SMS_ETL_")}
        given = environment(self.provider, self.data_dir, now=self.now, SMS_ETL_PII=self.policy)
        with _impatient():
            return CliRunner().invoke(cli, list(words), env={**kept_out, **given})

    def sync(self, *words: str, is_poisoned: bool = False, is_building: bool = False) -> "Synced":
        """Run a sync, and hold what every run must hold: no traceback, and a result or a clear error."""
        more = () if is_building else ("--no-build",)
        result = self.run("sync", "--json", *more, *words, is_poisoned=is_poisoned)
        assert result.exception is None or isinstance(result.exception, SystemExit), _trace(result)
        assert "Traceback" not in result.output
        if result.exit_code == REFUSED:
            assert result.stderr.lstrip().startswith("Error: ") or "\nError: " in result.stderr, result.stderr
            return Synced(REFUSED, {}, result.output)
        assert result.exit_code in {DONE, NEEDS_ATTENTION}, result.output
        told = json.loads(result.stdout)
        assert told["stopped_reason"] == "done"
        return Synced(result.exit_code, told, result.output)

    def later(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)

    def stored(self, table: str = "raw.sms") -> dict[str, Row]:
        """Return what is loaded and not gone, by uuid; fails if a uuid is there twice."""
        rows = self.ask(f"select * from {table} where gone_at is null")
        by_uuid = {str(row["uuid"]): row for row in rows}
        assert len(by_uuid) == len(rows), f"{table} holds a uuid twice"
        return by_uuid

    def quarantined(self, *, is_open: bool = True) -> list[Row]:
        """Return the rows that wait."""
        where = "replayed_at is null and accepted_at is null" if is_open else "true"
        return self.ask(f"select * from ops.quarantine where {where} order by rowid")

    def ask(self, sql: str) -> list[Row]:
        with duckdb.connect(str(self.data_dir / "warehouse.duckdb"), read_only=True) as connection:
            answer = connection.execute(sql)
            names = [column[0] for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def differing(self, truth: Iterable[Row], stored: Mapping[str, Row]) -> list[str]:
        """Return where messages are not loaded as they are, each in words."""
        return [said for row in truth for said in self.differences(row, stored.get(row["uuid"]))]

    def differences(
        self, truth: Row, stored: Row | None, unusual: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Return where a message is not loaded as it is, but for what is unusual of it."""
        if stored is None:
            return [f"{truth['uuid']} is not loaded"]
        expected = columns_of(truth, is_kept=self.policy == "keep")
        expected |= {name: value for name, value in (unusual or {}).items() if name in expected}
        return [
            f"{name} of {truth['uuid']} is {stored[name]!r:.60}, not {value!r:.60}"
            for name, value in expected.items()
            if stored[name] != value and not self._is_masked_code(name, value, stored[name])
        ]

    def _is_masked_code(self, name: str, sent: Any, stored: Any) -> bool:
        """Whether it is a text where a code belongs: pseudonymised, its hash's mark stands for it."""
        is_odd = isinstance(sent, str) and re.fullmatch("[A-Za-z][A-Za-z_.-]*[0-9]?[A-Za-z_]*", sent) is None
        is_marked = isinstance(stored, str) and re.fullmatch(r"(\+[0-9*]+)?~[0-9a-f]{8}", stored) is not None
        is_long = isinstance(sent, str) and len(sent) > 32
        return self.policy != "keep" and name in CODE_COLUMNS and (is_odd or is_long) and is_marked

    def assert_loaded(self, truth: Iterable[Row]) -> None:
        """These messages are loaded, field by field."""
        assert self.differing(truth, self.stored()) == []

    def assert_equals_the_truth(self) -> None:
        """Every message and bulk of the provider is loaded, field by field, and no other one."""
        stored, truth = self.stored(), self.provider.truth()
        assert self.differing(truth, stored) == []
        assert stored.keys() == {row["uuid"] for row in truth}
        bulks = self.stored("raw.bulk")
        assert bulks.keys() == {planted.truth["uuid"] for planted in self.provider.bulks}
        for planted in self.provider.bulks:
            loaded = bulks[planted.truth["uuid"]]
            assert {name: loaded[name] for name in BULK_AS_SENT if name not in POLICY_DECIDES} == {
                name: planted.truth[name] for name in BULK_AS_SENT if name not in POLICY_DECIDES
            }
            assert loaded["msg_total_cost"] == planted.truth["msg_total_cost"]

    def heal(self, *, never_there: Sequence[str] = ()) -> None:
        """Sync with a healthy provider, replay what waits, and hold that nothing is left of the attack.

        Args:
            never_there: Uuids of rows that were shown and never were; somebody accepts what is left of them.
        """
        self.later(hours=1)
        first = self.sync()
        self.assert_loaded(self.provider.truth()[-1:])
        waiting = self.quarantined()
        assert first.exit_code == (NEEDS_ATTENTION if waiting else DONE), first.output
        if waiting:
            replayed = self.sync("--replay-quarantine")
            self.accept(never_there)
            assert self.quarantined() == [], replayed.output
            assert replayed.exit_code == DONE or never_there, replayed.output
        again = self.sync("--since", "2026-01-20")  # what was unusual, and loaded, is what it is by now
        assert again.exit_code == DONE, again.output
        self.assert_equals_the_truth()

    def accept(self, uuids: Sequence[str]) -> None:
        """Accept what waits of rows that were never there."""
        ids = [str(row["quarantine_id"]) for row in self.quarantined() if row["uuid"] in uuids]
        if ids:
            accepted = self.run("quarantine", "accept", *ids, "--reason", "a test", is_poisoned=False)
            assert accepted.exit_code == DONE, accepted.output


@dataclass(frozen=True)
class Synced:
    """How a sync went."""

    exit_code: int
    told: Mapping[str, Any]
    """Its JSON; empty if it ended in an error."""
    output: str
    """Of stdout and stderr."""


def columns_of(truth: Row, *, is_kept: bool) -> dict[str, Any]:
    """Return what is to be stored of a message, of the columns that hold what the provider sent."""
    left_out = set() if is_kept else POLICY_DECIDES
    columns = {name: truth[name] for name in SMS_AS_SENT if name not in left_out}
    columns |= {name: _moment(truth[name]) for name in _TIMES}
    columns |= {"price": truth["price"], "currency": "EUR", "bulk_id": None, "gone_at": None}
    return columns | ({"phone": truth["phone"], "text": truth["text"]} if is_kept else {})


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None) if seconds else None


def quoted(reason: str, shown: Sequence[bytes]) -> set[str]:
    """Return which words and numbers of a row its reason quotes; names of fields and types are none."""
    text = b" ".join(each[:20_000] for each in shown).decode(errors="replace")
    values = set(_WORD.findall(_NAME.sub(" ", text)))
    words = set(_WORD.findall(_OF_THE_REASON.sub(" ", reason)))
    return {word for word in words & values if not _OF_THE_FORMAT.search(word)}


def _trace(result: Result) -> str:
    return f"{result.exception!r:.500}\n{result.output[-2000:]}"
