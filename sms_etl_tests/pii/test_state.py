"""Holds that a warehouse keeps to its key, through real syncs, and says what to do if it is another."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from sms_etl.cli.doctor import Finding, examine
from sms_etl.errors import DataDirError, PolicyNotApplied, WrongKey
from sms_etl.pii.key import KEY_FILE, fingerprint
from sms_etl.pii.policy import PiiPolicy
from sms_etl.pii.state import HeldPii, accept_key, held_pii, is_unapplied, refuse_unapplied
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt

KEYS = ["k1" * 32, "k2" * 32]


def held_fingerprint(settings: Settings) -> str | None:
    with Warehouse.of(settings).begin() as transaction:
        held = held_pii(transaction.native, settings)
    return held.key_fingerprint if held else None


def rows_of(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with Warehouse.of(settings).begin() as transaction:
        return transaction.native.execute(sql).fetchall()


@pytest.fixture
def synced(provider: SandboxHandle, settings_at: SettingsAt) -> Settings:
    settings = settings_at(provider)
    run_sync(settings)
    return settings


def finding(settings: Settings, subject: str) -> Finding:
    (found,) = [each for each in examine(settings) if each.subject == subject]
    return found


def test_a_first_sync_leaves_the_fingerprint_of_its_key(synced: Settings) -> None:
    key = (synced.data_dir / KEY_FILE).read_text().strip().encode()
    assert held_fingerprint(synced) == fingerprint(key)
    assert finding(synced, "key").is_ok


def test_a_deleted_key_is_not_replaced_and_comes_back_from_a_backup(synced: Settings) -> None:
    key = synced.data_dir / KEY_FILE
    backup = key.read_text()
    key.unlink()
    with pytest.raises(WrongKey, match="is gone") as caught:
        run_sync(synced)
    assert caught.value.exit_code == 2
    assert "Restore pii.key from a backup" in caught.value.hint
    assert not key.exists()
    assert "is gone" in finding(synced, "key").says
    assert not key.exists(), "doctor makes none"
    key.write_text(backup)
    key.chmod(0o600)
    assert run_sync(synced).stopped_reason == "done"
    assert len(rows_of(synced, "select 1 from ops.sync_run")) == 2, "what was refused was no run"


def test_another_key_is_refused_by_its_fingerprint_and_changes_nothing(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    run_sync(settings_at(provider, pii_key=KEYS[0]))
    other = settings_at(provider, pii_key=KEYS[1])
    provider.forget_requests()
    with pytest.raises(WrongKey, match=fingerprint(KEYS[1].encode())) as caught:
        run_sync(other)
    assert provider.requests() == []
    assert KEYS[1] not in str(caught.value)
    assert finding(other, "key").says.startswith("SMS_ETL_PII_KEY is not the key")
    assert held_fingerprint(other) == fingerprint(KEYS[0].encode())


def test_a_key_file_in_place_of_the_key_that_was_given_is_another_key(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    run_sync(settings_at(provider, pii_key=KEYS[0]))
    with pytest.raises(WrongKey, match="is gone"):
        run_sync(settings_at(provider))


def test_a_warehouse_from_before_fingerprints_takes_the_key_that_is_there(synced: Settings) -> None:
    rows_of(synced, "delete from ops.pii")
    run_sync(synced)
    key = (synced.data_dir / KEY_FILE).read_text().strip().encode()
    assert held_fingerprint(synced) == fingerprint(key)


def test_but_not_a_new_one_in_place_of_a_key_that_is_gone(synced: Settings) -> None:
    rows_of(synced, "delete from ops.pii")
    (synced.data_dir / KEY_FILE).unlink()
    with pytest.raises(WrongKey, match="is gone"):
        run_sync(synced)


def test_an_empty_warehouse_takes_a_new_key(empty_provider: SandboxHandle, settings_at: SettingsAt) -> None:
    run_sync(settings_at(empty_provider, pii_key=KEYS[0]))
    later = settings_at(empty_provider, pii_key=KEYS[1])
    shutil.rmtree(later.landing_dir, ignore_errors=True)
    run_sync(later)
    assert held_fingerprint(later) == fingerprint(KEYS[1].encode())


def test_a_warehouse_without_rows_keeps_its_key_while_landed_files_wait(
    synced: Settings, provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    """As a run leaves them that was killed between landing and loading."""
    for table in ("raw.sms", "raw.bulk", "ops.fetch_window"):
        rows_of(synced, f"delete from {table}")
    with pytest.raises(WrongKey):
        run_sync(settings_at(provider, pii_key=KEYS[1]))
    assert run_sync(synced).rows_new >= 300


def test_a_key_that_is_lost_for_good_is_replaced_on_purpose_with_a_receipt(
    synced: Settings, provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    (synced.data_dir / KEY_FILE).unlink()
    with Warehouse.of(synced).begin() as transaction:
        accepted = accept_key(transaction, synced, reason="lost in the move")
    assert accepted == held_fingerprint(synced)
    assert rows_of(synced, "select kind, reason from ops.pii_receipt") == [("key", "lost in the move")]
    provider.advance(timedelta(hours=3))
    assert run_sync(settings_at(provider)).stopped_reason == "done"
    with Warehouse.of(synced).begin() as transaction:
        assert accept_key(transaction, synced, reason="again") is None


@pytest.mark.parametrize("spoil", ["mode", "text"])
def test_doctor_and_sync_say_alike_what_is_wrong_with_the_key_file(synced: Settings, spoil: str) -> None:
    key = synced.data_dir / KEY_FILE
    if spoil == "mode":
        key.chmod(0o644)
    else:
        key.write_text("cut")
    with pytest.raises(DataDirError) as caught:
        run_sync(synced)
    found = finding(synced, "key")
    assert (found.is_ok, found.says, found.do) == (False, caught.value.message, caught.value.hint)


KEEP, HIDE = PiiPolicy.KEEP, PiiPolicy.PSEUDONYMISE


@pytest.mark.parametrize(
    ("held", "policy", "expected"),
    [
        (None, HIDE, False),
        (None, KEEP, False),
        (HeldPii(KEEP, None), HIDE, True),
        (HeldPii(KEEP, None), KEEP, False),
        (HeldPii(HIDE, None), HIDE, False),
        (HeldPii(HIDE, None), KEEP, False),
        (HeldPii(HIDE, None, is_unfinished=True), HIDE, True),
        (HeldPii(KEEP, None, is_unfinished=True), KEEP, False),
    ],
)
def test_rows_in_clear_are_not_what_pseudonymise_promises(
    tmp_path: Path, held: HeldPii | None, policy: PiiPolicy, expected: bool
) -> None:
    assert is_unapplied(held, load_settings(data_dir=tmp_path, pii=policy)) is expected


def test_a_blanking_that_was_interrupted_is_told(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with pytest.raises(PolicyNotApplied, match="in clear, for `sms-etl pii apply` was interrupted"):
        refuse_unapplied(HeldPii(HIDE, None, is_unfinished=True), settings)
    with pytest.raises(PolicyNotApplied, match=r"in clear\."):
        refuse_unapplied(HeldPii(KEEP, None), settings)


def test_a_sync_does_not_mix_rows_in_clear_with_others(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    run_sync(settings_at(provider, pii=KEEP))
    with pytest.raises(PolicyNotApplied):
        run_sync(settings_at(provider))
