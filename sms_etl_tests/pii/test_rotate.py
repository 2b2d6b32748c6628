"""Holds that under a new key all hashes join as before, also those of what is read later."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from sms_etl.campaigns.record import digest_of
from sms_etl.cli.demo import with_sandbox
from sms_etl.cli.doctor import examine
from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.errors import DataDirError, PolicyNotApplied, WrongKey
from sms_etl.pii import rotate as pii_rotate
from sms_etl.pii.key import find_key, find_retired_keys, fingerprint
from sms_etl.pii.policy import Pii, PiiPolicy, rehashing
from sms_etl.pii.rotate import rotate
from sms_etl.pii.state import accept_key, pii_of
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.warehouse.backup import back_up
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.provider_truth import ask

PHONE = "+4915799887766"
GIVEN, NEW = "the key that was given until now, long enough", "the key that is given from now on, long enough"
HASHES = "select phone_hash, phone_range, text_template, callback_data, sender_id from raw.sms order by uuid"


@pytest.fixture(scope="module")
def account() -> Iterator[SandboxHandle]:
    """An account in which somebody got two messages, one of them sent from a number."""
    with running_sandbox(account=AccountParameters(messages=60, days=3)) as provider:
        now = to_unix(provider.now())
        for sender in ("Brand", "+4917612345678"):
            provider.insert({"created_at": now, "phone": PHONE, "text": "Hi Anna", "sender_id": sender})
        yield provider


def settings_of(account: SandboxHandle, data_dir: Path, **more: Any) -> Settings:
    return with_sandbox(load_settings(data_dir=data_dir, now=account.now(), **more), account)


@pytest.fixture(scope="module")
def template(account: SandboxHandle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = settings_of(account, tmp_path_factory.mktemp("synced") / "data")
    sync_build_publish(settings)
    back_up(settings)
    return settings.data_dir


@pytest.fixture
def synced(account: SandboxHandle, template: Path, tmp_path: Path) -> Settings:
    shutil.copytree(template, tmp_path / "data")
    return settings_of(account, tmp_path / "data")


def everything(data_dir: Path) -> Iterator[str]:
    """Return all there is to read in a data directory but for the keys."""
    for path in sorted(path for path in data_dir.rglob("*") if path.is_file() and "pii." not in path.name):
        yield path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            yield json.dumps(pq.read_table(path).to_pylist(), default=str)
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for (name,) in connection.execute(
                    "select schema_name || '.' || table_name from duckdb_tables() where not internal"
                ).fetchall():
                    yield json.dumps(connection.execute(f"from {name}").fetchall(), default=str)


def test_after_a_rotation_nothing_of_the_old_hashes_is_left_and_syncs_see_no_change(
    synced: Settings, account: SandboxHandle
) -> None:
    before = ask(synced, HASHES)
    old = {value for row in before for value in row[:4] if value}
    old |= {row[4] for row in before if row[4] and "~" in row[4]}
    result = rotate(synced)
    key = find_key(synced)
    assert key is not None
    by = rehashing(key)
    after = ask(synced, HASHES)
    assert after == [
        (*(value and by(value) for value in row[:4]), by(row[4]) if row[4] and "~" in row[4] else row[4])
        for row in before
    ]
    assert not [value for text in everything(synced.data_dir) for value in old if value in text]
    assert (result.messages, result.retired, result.files_unreadable) == (len(before), 1, ())
    assert result.files == len(list(synced.landing_dir.glob("*/*.parquet")))
    again = run_sync(synced)
    assert (again.stopped_reason, again.rows_changed) == ("done", 0), "what is read again gives these hashes"
    assert ask(synced, "select kind, finished_at is not null from ops.pii_receipt") == [("rotation", True)]


def test_a_person_is_found_by_the_number_after_two_rotations_and_new_messages_join(
    synced: Settings, account: SandboxHandle
) -> None:
    rotate(synced)
    rotate(synced)
    account.insert({"created_at": to_unix(account.now()), "phone": f"0049{PHONE[3:]}", "text": "Hi Bert"})
    run_sync(synced)
    pii = pii_of(synced, find_key(synced) or b"")
    assert len(pii.retired) == 2
    found = "select count(*), count(distinct text_template) from raw.sms where phone_hash = "
    assert ask(synced, f"{found}'{pii.hash_of(PHONE)}'") == [(3, 1)]


@pytest.mark.parametrize("step", ["install_new_keys", "rewrite_landing", "finish_receipt"])
def test_interrupted_at_any_point_all_is_refused_until_it_is_run_again(
    synced: Settings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = ask(synced, "select phone_hash from raw.sms order by uuid")

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pii_rotate, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            rotate(synced)
    with pytest.raises(PolicyNotApplied, match="was interrupted") as caught:
        run_sync(synced)
    assert "`sms-etl pii rotate`" in caught.value.hint
    status = read_status(synced)
    assert (status.is_rotation_unfinished, status.needs_attention) == (True, True)
    assert [found.do for found in examine(synced) if found.subject == "personal data"] == [caught.value.hint]
    result = rotate(synced)
    key = find_key(synced)
    assert key is not None
    assert ask(synced, "select phone_hash from raw.sms order by uuid") == [
        (rehashing(key)(value),) for (value,) in before
    ], "hashed again once, not twice"
    assert (result.retired, list(synced.data_dir.glob("*.new"))) == (1, [])
    again = run_sync(synced)
    assert (again.stopped_reason, again.rows_changed) == ("done", 0)


def test_killed_before_anything_was_hashed_the_old_key_goes_on(
    synced: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = find_key(synced)
    with monkeypatch.context() as patched:
        patched.setattr(pii_rotate, "_rehash", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rotate(synced)
    assert (find_key(synced), find_retired_keys(synced)) == (key, ())
    assert run_sync(synced).stopped_reason == "done"
    assert rotate(synced).retired == 1


def test_a_key_of_the_environment_is_replaced_by_the_next_one_given_there(
    account: SandboxHandle, tmp_path: Path
) -> None:
    until_now = settings_of(account, tmp_path / "data", pii_key=GIVEN)
    run_sync(until_now)
    later = settings_of(account, tmp_path / "data", pii_key=NEW)
    for given, says in ((None, "be given beside it"), (NEW.encode(), "be given beside it")):
        with pytest.raises(WrongKey, match=says):
            rotate(later, given)
    with pytest.raises(WrongKey, match="did not make the warehouse's hashes"):
        rotate(later, b"some other key, which is long enough")
    assert run_sync(until_now).stopped_reason == "done", "nothing was changed"
    result = rotate(later, GIVEN.encode())
    assert result.key_fingerprint == fingerprint(NEW.encode(), (GIVEN.encode(),))
    assert run_sync(later).rows_changed == 0
    assert GIVEN not in (tmp_path / "data" / "pii.retired").read_text()
    assert (tmp_path / "data" / "pii.retired").stat().st_mode & 0o777 == 0o600


def test_lost_retired_keys_are_noticed_and_another_key_can_be_accepted(synced: Settings) -> None:
    rotate(synced)
    retired = synced.data_dir / "pii.retired"
    text = retired.read_text()
    retired.write_text("no key\n")
    with pytest.raises(DataDirError, match=r"pii.retired is damaged"):
        run_sync(synced)
    retired.unlink()
    with pytest.raises(WrongKey) as caught:
        run_sync(synced)
    assert "with pii.retired if the key was ever rotated" in caught.value.hint
    with Warehouse.of(synced).begin() as transaction:
        assert accept_key(transaction, synced, reason="lost") == fingerprint(find_key(synced) or b"")
    retired.write_text(text)
    retired.chmod(0o600)
    with pytest.raises(WrongKey):
        run_sync(synced)


def test_values_that_are_kept_as_they_come_are_not_taken_for_hashes(
    account: SandboxHandle, tmp_path: Path
) -> None:
    settings = settings_of(account, tmp_path / "data", pii="keep")
    [uuid] = account.insert({"created_at": to_unix(account.now()), "phone": PHONE, "callback_data": "0" * 32})
    run_sync(settings)
    rotate(settings)
    kept = "select callback_data, sender_id, phone from raw.sms where uuid = ?"
    with Warehouse.of(settings).begin() as transaction:
        callback, _, phone = transaction.row(kept, [uuid])
    assert (callback, phone) == ("0" * 32, PHONE)
    assert run_sync(settings).rows_changed == 0


@pytest.mark.parametrize("column", ["sender_id", "service_code", "callback_data"])
def test_a_stored_value_hashed_again_is_what_the_chain_of_keys_makes(column: str) -> None:
    one = Pii(PiiPolicy.PSEUDONYMISE, b"first")
    both = Pii(PiiPolicy.PSEUDONYMISE, b"second", retired=[b"first"])
    for value in (PHONE, "Erika Mustermann 4917612345678"):
        stored, again = one.treated(column, value), both.treated(column, value)
        assert stored is not None
        assert again == rehashing(b"second")(stored) != stored


def test_a_day_later_the_key_can_be_rotated_while_landed_files_wait_to_be_loaded(
    synced: Settings, account: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A landed file of a killed sync is hashed again too, and loaded by the next one."""
    later = synced.model_copy(update={"now": account.now() + timedelta(hours=1)})
    account.insert({"created_at": to_unix(account.now()), "phone": PHONE, "text": "Hi Cleo"})
    with monkeypatch.context() as patched:
        patched.setattr("sms_etl.sync.intake.Intake._load", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_sync(later)
    before = ask(synced, "select count(*) from raw.sms")
    rotate(later)
    run_sync(later)
    assert ask(synced, "select count(*) from raw.sms") > before
    pii = pii_of(synced, find_key(synced) or b"")
    assert ask(synced, f"select count(*) >= 3 from raw.sms where phone_hash = '{pii.hash_of(PHONE)}'") == [
        (True,)
    ]


def test_a_campaign_is_the_same_after_a_rotation() -> None:
    one = Pii(PiiPolicy.PSEUDONYMISE, b"first")
    both = Pii(PiiPolicy.PSEUDONYMISE, b"second", retired=[b"first"])
    asked = (("Brand", "a text"), (PHONE, "+4917612345678"))
    assert digest_of(both, *asked) == rehashing(b"second")(digest_of(one, *asked))


def test_holds_and_open_erasures_follow(synced: Settings) -> None:
    """A hold names a sender as raw.sms has it; an erasure is found again by its hash."""
    [(sender,)] = ask(synced, "select sender_id from raw.sms where starts_with(sender_id, '+49*********78~')")
    with Warehouse.of(synced).begin() as transaction:
        transaction.run(
            "insert into ops.hold (hold_id, added_at, actor, reason, sender_id) "
            "values (uuid(), current_date, 'me', 'dispute', ?), (uuid(), current_date, 'me', 'x', 'Brand')",
            [sender],
        )
        transaction.run(
            "insert into ops.erasure (erasure_id, planned_at, expires_at, actor, result, subject, state) "
            "values (uuid(), current_date, current_date, 'me', '{}', ?, ?)",
            ["0" * 32, "1" * 32],
        )
        transaction.run(
            """
            insert into ops.campaign by name
            select
                uuid() as campaign_id, key, repeat(digit, 32) as digest, 'sent' as state, $1 as sender_id,
                'direct' as service_code, 'gsm7' as encoding, current_date as business_month, 1 as recipients,
                repeat('b', 32) as recipients_digest, 0 as invalid, 0 as duplicates, 0 as opted_out,
                1 as parts,
                'EUR' as currency, 'none' as cost_centre, 1 as attempts, current_date as intended_at,
                current_date as asked_at, '1' as version
            from (values ('spring', 'a'), (repeat('c', 16), 'c')) as campaigns(key, digit)
            """,
            [sender],
        )
    rotate(synced)
    by = rehashing(find_key(synced) or b"")
    spring, unnamed = by("a" * 32), by("c" * 32)
    assert ask(
        synced, "select key, digest, recipients_digest, sender_id from ops.campaign order by key = 'spring'"
    ) == [
        (unnamed[:16], unnamed, by("b" * 32), by(sender)),
        ("spring", spring, by("b" * 32), by(sender)),
    ]
    assert ask(synced, "select sender_id from ops.hold order by reason") == [(by(sender),), ("Brand",)]
    assert ask(synced, "select subject, state from ops.erasure") == [(by("0" * 32), by("1" * 32))]
    assert ask(synced, f"select count(*) from raw.sms where sender_id = '{by(sender)}'") == [(1,)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("phone_hash\n{a}\n", "phone_hash,key_fingerprint\n{b},new\n"),
        (
            "# list\nNote;phone_hash;key_fingerprint\nx;{a};old\n",
            "# list\nnote;phone_hash;key_fingerprint\nx;{b};new\n",
        ),
        ("phone_hash,key_fingerprint\n{a},new\n{a},other\nno hash,\n",) * 2,
        ("hash\n{a}\n",) * 2,
    ],
)
def test_opt_outs_are_hashed_again_once(tmp_path: Path, before: str, after: str) -> None:
    keys = [b"first" * 8, b"second" * 8]
    names = {"old": fingerprint(keys[0]), "new": fingerprint(keys[1], keys[:1])}
    values = {"a": "a" * 32, "b": rehashing(keys[1])("a" * 32)}

    def filled(text: str) -> str:
        for name, told in names.items():
            text = text.replace(f",{name}\n", f",{told}\n").replace(f";{name}\n", f";{told}\n")
        return text.format(**values)

    path = tmp_path / "opt_outs.csv"
    path.write_text(filled(before))
    for _ in range(2):  # a run that completes an interrupted one does it again
        pii_rotate._rehash_opt_outs(path, keys[1], keys[:1])
        assert path.read_text() == filled(after)
