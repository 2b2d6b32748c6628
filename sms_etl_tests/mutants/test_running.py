"""Holds which tests are run for a change, and in which order."""

from sms_etl_tests.mutants.running import MOST_SECONDS, FirstRun

WORK = {"a": 3.0, "b": 1.0, "c": MOST_SECONDS - 4.0, "d": 1.5}


def first_run(**waited: float) -> FirstRun:
    return FirstRun(WORK | waited, WORK, {"m.f": ["a", "b", "c", "d"], "m.g": ["c"], "n.f": ["d"]})


def test_the_quickest_are_run_first_until_their_time_is_spent() -> None:
    assert first_run().reaching("m.f") == ["b", "d", "a"]


def test_what_waits_on_a_busy_machine_is_not_left_out() -> None:
    assert first_run(a=500.0, d=900.0).reaching("m.f") == ["b", "d", "a"]


def test_of_tests_that_all_take_too_long_one_is_run() -> None:
    run = FirstRun({"a": 99.0}, {"a": 99.0}, {"m.f": ["a"]})
    assert (run.reaching("m.f"), run.reaching("m.g")) == (["a"], [])


def test_those_that_reach_a_module_come_before_all_others() -> None:
    assert first_run().all("n") == ["d", "b", "a", "c"]
