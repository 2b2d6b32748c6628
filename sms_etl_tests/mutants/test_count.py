"""Holds when too many changes survive."""

import pytest

from sms_etl_tests.mutants.count import Count


@pytest.mark.parametrize(("good", "is_short"), [(75, False), (74, True)])
def test_a_share_of_many_changes_has_to_be_noticed(good: int, is_short: bool) -> None:
    assert Count(tried=100, good=good).is_short_of(75) is is_short


@pytest.mark.parametrize(("share", "is_short"), [(75, False), (100, True)])
def test_a_handful_is_short_only_where_all_must_be_noticed(share: float, is_short: bool) -> None:
    assert Count(tried=10, good=6).is_short_of(share) is is_short
