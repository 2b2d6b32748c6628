"""Which cases of the long suites run where only a share of them does."""

import pytest

from sms_etl_tests.share import chosen

CASES = [f"test_it[{number}]" for number in range(40)]


def test_about_one_case_in_so_many_runs() -> None:
    assert len(chosen(CASES, 4, "abc")) == 10


@pytest.mark.parametrize("share", [1, 4, 100])
def test_of_each_test_at_least_one_case_runs(share: int) -> None:
    assert chosen(CASES[:1], share, "abc") == set(CASES[:1])


def test_the_same_turn_chooses_the_same_cases_whatever_their_order() -> None:
    assert chosen(CASES, 4, "abc") == chosen(CASES[::-1], 4, "abc")


def test_every_case_has_its_turn() -> None:
    assert set().union(*(chosen(CASES, 4, f"commit {number}") for number in range(40))) == set(CASES)
