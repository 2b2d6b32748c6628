"""Every poisoned row by itself, and all of them in the middle of three thousand: the good rest is loaded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import pytest

from sms_etl.clock import to_unix
from sms_etl_tests.attacks.attack import DONE, NEEDS_ATTENTION, Attack, Synced, quoted
from sms_etl_tests.attacks.form import EVERY, IS_FULL, MANY
from sms_etl_tests.attacks.good_rows import bulks, later, messages
from sms_etl_tests.attacks.poisoned_rows import ROWS, Fate, RowCase
from sms_etl_tests.attacks.stand_in import Planted, Row, running_stand_in

FEW, MIDDLE, PAGE = 60, 30, 10
SEVERAL_BULKS, MANY_BULKS = 7, 60
EXPECTED_TO_WAIT = {
    (Fate.LOADED, "/sms"): {0},
    (Fate.BAD, "/sms"): {1},
    (Fate.BAD, "/bulks"): {1, 2},  # without a uuid it is one along each of its times
    (Fate.EITHER, "/sms"): range(6),
    (Fate.EITHER, "/bulks"): range(3),
}
"""How many rows wait for somebody, by what is to become of the one that is poisoned."""
TOGETHER = tuple(case for case in ROWS if not case.is_alone)
BY_THEMSELVES = tuple(case for number, case in enumerate(ROWS) if case.is_alone or number % EVERY == 0)


def each_of(cases: Sequence[RowCase]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case",
        [pytest.param(case, id=case.name) for case in cases],
    )


@dataclass(frozen=True)
class Evidence:
    """What was found after a sync met poisoned rows."""

    attack: Attack
    synced: Synced
    stored: dict[str, dict[str, Row]]
    """By path."""
    waiting: list[Row]

    def assert_fate(self, planted: Planted, case: RowCase) -> None:
        """A poisoned row has met its fate, and the reason keeps quiet about what it held."""
        waits = [row for row in self.waiting if _is_of(row, planted)]
        reasons = [row["reason"] for row in waits]
        stored = self.stored[case.path].get(planted.truth["uuid"])
        if case.fate is Fate.LOADED:
            assert self.attack.differences(planted.truth, stored, case.stored) == [], reasons
            assert reasons == []
        elif case.fate is Fate.BAD:
            assert stored is None
            assert self.waiting
        else:
            assert stored is not None or self.waiting
        for reason in reasons:
            assert reason
            assert quoted(reason, planted.shown or ()) == set(), reason
            assert "0x" not in reason, "it quotes a byte"


def _is_of(row: Row, planted: Planted) -> bool:
    """Whether a row in quarantine is this one, by its uuid or by its second."""
    moment, uuid = row["created_at"], planted.truth["uuid"]
    second = None if moment is None else to_unix(moment.replace(tzinfo=UTC))
    return bool(str(row["uuid"]).lower() == uuid or second == planted.truth["created_at"])


@contextmanager
def attacked(
    cases: dict[int, RowCase],
    tmp_path: Path,
    *,
    rows: int,
    page_size: int,
    policy: str = "pseudonymise",
    is_building: bool = False,
) -> Iterator[tuple[Evidence, dict[str, Planted]]]:
    """Let a sync meet poisoned rows; yield what it made of them, and the rows by the names of their cases."""
    planted = {"/sms": messages(rows), "/bulks": bulks(MANY_BULKS if len(cases) > 1 else SEVERAL_BULKS)}
    by_case: dict[str, Planted] = {}
    for place, case in cases.items():
        row = planted[case.path][place]
        row.shown = case.poison(row.truth)
        by_case[case.name] = row
    with running_stand_in(planted["/sms"], planted["/bulks"], page_size=page_size) as provider:
        attack = Attack(provider, tmp_path / "data", policy)
        synced = attack.sync(is_poisoned=True, is_building=is_building)
        stored = {"/sms": attack.stored("raw.sms"), "/bulks": attack.stored("raw.bulk")}
        yield Evidence(attack, synced, stored, attack.quarantined()), by_case


def assert_good_rows_loaded(evidence: Evidence, suspects: set[str]) -> None:
    good = [row for row in evidence.attack.provider.truth() if row["uuid"] not in suspects]
    assert evidence.attack.differing(good, evidence.stored["/sms"]) == []


def assert_exit_code(evidence: Evidence) -> None:
    """Somebody is called exactly when a row waits."""
    assert evidence.synced.exit_code == (NEEDS_ATTENTION if evidence.waiting else DONE), (
        evidence.synced.output
    )
    assert evidence.synced.told["quarantine_open"] == len(evidence.waiting)
    build = evidence.synced.told["build"]
    assert build is None or (evidence.synced.told["published"] and not build["failed_tests"]), build


@each_of(BY_THEMSELVES)
def test_a_poisoned_row_stops_no_other_and_nothing_of_it_is_left_once_the_provider_is_healthy(
    case: RowCase, tmp_path: Path
) -> None:
    place = MIDDLE + case.place if case.path == "/sms" else SEVERAL_BULKS // 2
    is_building = case.name.startswith("price: ")
    with attacked({place: case}, tmp_path, rows=FEW, page_size=PAGE, is_building=is_building) as (
        found,
        rows,
    ):
        [planted] = rows.values()
        neighbour = found.attack.provider.messages[place + 1].truth["uuid"]
        suspects = {planted.truth["uuid"]} | ({neighbour} if "neighbour" in case.name else set())
        assert_good_rows_loaded(found, suspects)
        found.assert_fate(planted, case)
        assert_exit_code(found)
        assert len(found.waiting) in EXPECTED_TO_WAIT[case.fate, case.path]
        if case.fate is Fate.BAD:
            again = found.attack.sync(is_poisoned=True)
            assert (again.exit_code, len(found.attack.quarantined())) == (NEEDS_ATTENTION, len(found.waiting))
        found.attack.provider.messages += later(1800, found.attack.provider.messages)
        found.attack.heal()


@pytest.mark.parametrize("policy", ["pseudonymise", "keep"] if IS_FULL else ["pseudonymise"])
def test_all_poisoned_rows_in_the_middle_of_thousands_stop_no_other_and_each_meets_its_fate(
    policy: str, tmp_path: Path
) -> None:
    """All in one sync, so that a sync of each need not be waited for; each is still told apart."""
    of_messages = [case for case in TOGETHER if case.path == "/sms"]
    of_bulks = [case for case in TOGETHER if case.path == "/bulks"]
    step = (MANY - 200) // len(of_messages)
    cases = {100 + step * number: case for number, case in enumerate(of_messages)}
    cases |= {-2 * number - 3: case for number, case in enumerate(of_bulks)}
    with attacked(cases, tmp_path, rows=MANY, page_size=50, policy=policy, is_building=True) as (found, rows):
        assert_good_rows_loaded(found, {planted.truth["uuid"] for planted in rows.values()})
        assert_exit_code(found)
        assert {case.name: said for case in TOGETHER if (said := _missed(found, rows[case.name], case))} == {}
        assert_none_disappeared(found)
        assert_rows_without_names_are_not_quoted(found, rows)
        found.attack.provider.messages += later(1800, found.attack.provider.messages)
        found.attack.heal()
        built = found.attack.run("build", is_poisoned=False)
        assert built.exit_code == DONE, built.output


def _missed(found: Evidence, planted: Planted, case: RowCase) -> str:
    """Return in which way a row missed its fate, or nothing."""
    try:
        found.assert_fate(planted, case)
    except AssertionError as exc:
        return str(exc) or "see assert_fate"
    return ""


def assert_none_disappeared(found: Evidence) -> None:
    """At least as many rows wait as are bad."""
    bad = sum(case.fate is Fate.BAD for case in TOGETHER)
    either = sum(case.fate is Fate.EITHER for case in TOGETHER)
    assert bad <= len(found.waiting) <= bad + 5 * either


def assert_rows_without_names_are_not_quoted(found: Evidence, rows: dict[str, Planted]) -> None:
    """What is no object cannot be matched with its reason: it is looked for in all of them."""
    shown = [text for name in rows if name.startswith("no row: ") for text in rows[name].shown or ()]
    reasons = {row["reason"] for row in found.waiting}
    assert {reason: words for reason in reasons if (words := quoted(reason, shown))} == {}


def test_the_table_is_as_large_as_it_is_meant_to_be() -> None:
    assert len({case.name for case in ROWS}) == len(ROWS) >= 120
