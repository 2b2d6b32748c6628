"""Every poisoned page: it ends well or with a clear error, repeats nothing, and nothing is stuck."""

from datetime import timedelta
from pathlib import Path

import pytest

from sms_etl_tests.attacks.attack import DONE, NEEDS_ATTENTION, REFUSED, Attack
from sms_etl_tests.attacks.form import IS_FULL, MANY
from sms_etl_tests.attacks.good_rows import NOW, bulks, later, messages
from sms_etl_tests.attacks.poisoned_pages import PAGES, PERSONAL, STRANGER, PageCase, poison
from sms_etl_tests.attacks.stand_in import MOST_REQUESTS, running_stand_in

_A_SAMPLE_TAKES_EVERY = 12
"""A case takes two seconds of a processor; there are ninety."""
FEW, PAGE = 60, 10
MANY_ON_A_PAGE = 100


def assert_a_poisoned_page_does_no_lasting_harm(
    case: PageCase, tmp_path: Path, *, rows: int, page_size: int
) -> None:
    with running_stand_in(messages(rows), bulks(7), page_size=page_size) as provider:
        poison(provider, case)
        attack = Attack(provider, tmp_path / "data")
        if case.is_known:
            meet_in_good_health(attack)
        synced = attack.sync(is_poisoned=True)
        assert synced.exit_code in case.codes, synced.output
        assert len(provider.requests) < MOST_REQUESTS, "it would have asked for ever"
        if synced.exit_code != REFUSED:
            lost = provider.messages if case.all_lost else provider.messages[rows // 2 :][: int(case.lost)]
            missing = {message.truth["uuid"] for message in lost}
            attack.assert_loaded(row for row in provider.truth() if row["uuid"] not in missing)
            is_anything_wrong = bool(attack.quarantined()) or synced.told["bulks_error"] is not None
            assert (synced.exit_code == NEEDS_ATTENTION) == is_anything_wrong
        assert_nobody_repeats(synced.output, attack.data_dir)
        provider.messages += later(1800, provider.messages)
        attack.heal(never_there=[STRANGER])


def meet_in_good_health(attack: Attack) -> None:
    """Let a sync read the first half of the messages while nothing is poisoned."""
    everything = list(attack.provider.messages)
    del attack.provider.messages[len(everything) // 2 :]
    attack.now -= (len(everything) // 2) * timedelta(minutes=1)
    assert attack.sync().exit_code == DONE
    attack.provider.messages[:] = everything
    attack.now = NOW


def assert_nobody_repeats(output: str, data_dir: Path) -> None:
    """Nothing a page quoted is printed or kept, nor what moves a terminal's cursor."""
    assert "\x1b" not in output
    kept = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    for text in PERSONAL:
        assert text not in output
        assert text.encode() not in kept


def cases(rows: int) -> list[object]:
    chosen = PAGES if IS_FULL else PAGES[rows % _A_SAMPLE_TAKES_EVERY :: _A_SAMPLE_TAKES_EVERY]
    return [pytest.param(case, id=case.name) for case in chosen]


@pytest.mark.parametrize("case", cases(FEW))
def test_a_poisoned_page_ends_well_or_with_a_clear_error_and_the_next_healthy_sync_is_whole(
    case: PageCase, tmp_path: Path
) -> None:
    assert_a_poisoned_page_does_no_lasting_harm(case, tmp_path, rows=FEW, page_size=PAGE)


@pytest.mark.parametrize("case", cases(MANY) if IS_FULL else ())  # each takes three seconds of a processor
def test_a_poisoned_page_in_the_middle_of_thousands_does_no_more_harm(case: PageCase, tmp_path: Path) -> None:
    assert_a_poisoned_page_does_no_lasting_harm(case, tmp_path, rows=MANY, page_size=MANY_ON_A_PAGE)


def test_the_table_of_pages_is_as_large_as_it_is_meant_to_be() -> None:
    assert len({case.name for case in PAGES}) == len(PAGES) >= 30
