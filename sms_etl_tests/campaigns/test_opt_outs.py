"""Who opted out is kept as keyed hashes alone, and nobody drops out of the list in silence."""

from pathlib import Path

import pytest

from sms_etl.campaigns.opt_out_file import check_opt_outs, opt_outs_path
from sms_etl.campaigns.opt_outs import add_opt_outs, read_opt_outs
from sms_etl.campaigns.recipients import BadRow
from sms_etl.errors import CampaignRefused
from sms_etl.models.files import own_seed_files, project_digest
from sms_etl.models.project import load_project
from sms_etl.pii.key import fingerprint
from sms_etl.pii.policy import Pii, PiiPolicy
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.store import Warehouse

KEY = b"k" * 64
PII = Pii(PiiPolicy.PSEUDONYMISE, KEY)
NUMBER, OTHER = "+4915555100001", "+4915555100002"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", pii_key=KEY.decode())


def _write(settings: Settings, text: str) -> None:
    path = opt_outs_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_a_file_nobody_opted_out(settings: Settings) -> None:
    assert read_opt_outs(settings, PII).left_in((NUMBER,)) == (NUMBER,)


@pytest.mark.parametrize("text", ["", "# nobody yet\n", "phone_hash\n"])
def test_an_empty_file_is_one_of_nobody(settings: Settings, text: str) -> None:
    _write(settings, text)
    assert read_opt_outs(settings, PII).hashes == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        f"phone_hash\n{PII.hash_of(NUMBER)}\n",
        f"\ufeffadded_on;phone_hash\n2026-01-01;{PII.hash_of(NUMBER).upper()}\n",
        f"# by hand\nphone_hash,key_fingerprint\n\n{PII.hash_of(NUMBER)},{fingerprint(KEY)}\n",
    ],
)
def test_a_hash_leaves_its_number_out(settings: Settings, text: str) -> None:
    _write(settings, text)
    assert read_opt_outs(settings, PII).left_in((NUMBER, OTHER)) == (OTHER,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hash\nabc\n", ":1: there is no column phone_hash"),
        (f"phone_hash\n{PII.hash_of(NUMBER)}\n{NUMBER}\n", ":3: phone_hash is no keyed hash"),
        ("phone_hash,key_fingerprint\n,\n", ":2: phone_hash is no keyed hash"),
        (f"phone_hash\n{NUMBER}\n\n{OTHER}\n", ":2 and 1 more line: phone_hash is no keyed hash"),
        (f"phone_hash,key_fingerprint\n{PII.hash_of(NUMBER)},0123\n", ":2: the hash was made by another key"),
        ("phone_hash\n" + "0" * 200_000, ":2: phone_hash is no keyed hash"),
    ],
)
def test_a_line_that_would_match_nobody_stops_with_what_to_do(
    settings: Settings, text: str, says: str
) -> None:
    _write(settings, text)
    with pytest.raises(CampaignRefused, match=says) as raised:
        read_opt_outs(settings, PII)
    assert NUMBER not in str(raised.value)
    assert "opt-outs add" in raised.value.hint
    with pytest.raises(CampaignRefused, match=says):
        check_opt_outs(settings)


def test_numbers_are_added_as_hashes_to_those_that_are_there(settings: Settings, tmp_path: Path) -> None:
    file, warehouse = tmp_path / "stop.csv", Warehouse.of(settings)
    file.write_text(f"phone\n{NUMBER}\nnobody\n")
    first = add_opt_outs(settings, file, "DE", warehouse)
    file.write_text(f"015555 100001\n{OTHER}\n")
    second = add_opt_outs(settings, file, "DE", warehouse)
    assert (first.added, first.total, [bad.row for bad in first.invalid]) == (1, 1, [3])
    assert first.invalid == (BadRow(3, "it holds other characters than those numbers are written with"),)
    assert (second.added, second.already_there, second.total) == (1, 1, 2)
    assert read_opt_outs(settings, PII).left_in((NUMBER, OTHER)) == ()
    kept = opt_outs_path(settings)
    assert NUMBER[1:] not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_every_number_of_somebody_who_opted_out_is_added(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "stop.csv"
    file.write_text(f"Telefon;Mobil;Name\n{NUMBER};{OTHER};A\n;{OTHER};B\n;;C\n")
    added = add_opt_outs(settings, file, "DE", Warehouse.of(settings))
    assert (added.added, [bad.row for bad in added.invalid]) == (2, [4])
    assert added.columns == ("Mobil", "Telefon")


def test_looking_at_the_file_makes_no_key(settings: Settings) -> None:
    keyless = settings.model_copy(update={"pii_key": None})
    assert check_opt_outs(keyless) == 0
    _write(settings, f"phone_hash,key_fingerprint\n{PII.hash_of(NUMBER)},0123\n")
    assert check_opt_outs(keyless) == 1
    assert not (settings.data_dir / "pii.key").exists()


def test_the_file_is_no_table_and_makes_no_model_stale(settings: Settings) -> None:
    before = project_digest(settings.data_dir)
    _write(settings, f"phone_hash\n{PII.hash_of(NUMBER)}\n")
    assert own_seed_files(opt_outs_path(settings).parent) == []
    assert project_digest(settings.data_dir) == before
    assert "seeds.opt_outs" not in load_project(seeds=opt_outs_path(settings).parent).seeds
