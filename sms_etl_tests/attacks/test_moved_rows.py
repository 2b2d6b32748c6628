"""A message whose `created_at` changes is still the one message: loaded once, at its new time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sms_etl.clock import to_unix
from sms_etl_tests.attacks.attack import DONE, Attack
from sms_etl_tests.attacks.form import IS_FULL
from sms_etl_tests.attacks.good_rows import NOW, bulks, later, messages
from sms_etl_tests.attacks.stand_in import Planted, running_stand_in

FEW = 60
Move = Callable[[list[Planted]], None]


@dataclass(frozen=True)
class MoveCase:
    """Which rows move in time between two syncs."""

    name: str
    move: Move
    is_final: bool = True
    """Whether the messages are final: what is not is asked for by its uuid in any case."""


def by(seconds: int, *places: int) -> Move:
    """Move rows by so many seconds."""

    def move(planted: list[Planted]) -> None:
        for place in places:
            planted[place].truth["created_at"] += seconds

    return move


def to_the_end(planted: list[Planted]) -> None:
    planted[20].truth["created_at"] = to_unix(NOW) + 900


def exchanged(planted: list[Planted]) -> None:
    one, other = planted[20].truth, planted[21].truth
    one["created_at"], other["created_at"] = other["created_at"], one["created_at"]


def into_one_second(planted: list[Planted]) -> None:
    for each in planted[20:40]:
        each.truth["created_at"] = planted[55].truth["created_at"]


MOVES = (
    MoveCase("moved: a second forwards", by(1, 20)),
    MoveCase("moved: a second backwards", by(-1, 20)),
    MoveCase("moved: a second forwards, within the overlap", by(1, 58)),
    MoveCase("moved: a second backwards, within the overlap", by(-1, 58)),
    MoveCase("moved: into the overlap", by(35 * 60, 20)),
    MoveCase("moved: out of the overlap", by(-35 * 60, 58)),
    MoveCase("moved: the newest one forwards", by(30, FEW - 1)),
    MoveCase("moved: the newest one backwards", by(-45 * 60, FEW - 1)),
    MoveCase("moved: behind all others", to_the_end),
    MoveCase("moved: before all others", by(-86_400, 20)),
    MoveCase("moved: two exchange their times", exchanged),
    MoveCase("moved: all by an hour, as a time zone does", by(3600, *range(FEW))),
    MoveCase("moved: all back by an hour", by(-3600, *range(FEW))),
    MoveCase("moved: twenty into one second", into_one_second),
    MoveCase("moved: into the overlap, not final", by(35 * 60, 20), is_final=False),
    MoveCase("moved: out of the overlap, not final", by(-35 * 60, 58), is_final=False),
    MoveCase("moved: all back by an hour, not final", by(-3600, *range(FEW)), is_final=False),
)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name) for case in (MOVES if IS_FULL else MOVES[::4])],
)
def test_a_row_that_moves_in_time_is_one_row_at_its_new_time(case: MoveCase, tmp_path: Path) -> None:
    planted = messages(FEW)
    for each in planted:
        each.truth["dlr_code"] = 1 if case.is_final else 4
    with running_stand_in(planted, bulks(3)) as provider:
        attack = Attack(provider, tmp_path / "data")
        assert attack.sync().exit_code == DONE
        case.move(provider.messages)
        provider.messages.sort(key=lambda each: each.truth["created_at"])
        attack.later(hours=1)
        provider.messages += later(1800, provider.messages)
        for words in ((), (), ("--reconcile",), ("--since", "2026-01-20")):
            synced = attack.sync(*words)
            assert synced.exit_code == DONE, synced.output
            stored = attack.stored()  # fails where a uuid is there twice
            assert stored.keys() <= {row["uuid"] for row in provider.truth()}
        attack.assert_equals_the_truth()
        built = attack.run("build", is_poisoned=False)
        assert built.exit_code == DONE, built.output
