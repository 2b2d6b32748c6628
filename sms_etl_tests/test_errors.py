"""Holds the exception tree to its drawing, and to what the commands exit with."""

import inspect
import pickle
import re

import pytest

from sms_etl import errors
from sms_etl.errors import (
    CampaignRefused,
    CampaignUnclear,
    ChecksFailed,
    DeletionStopped,
    InvoiceUnreadable,
    LedgerBroken,
    NoSuchHold,
    NoSuchPlan,
    NotABulk,
    NotANumber,
    NotAPeriod,
    OutNotWritable,
    PlanRefused,
    PolicyInvalid,
    PolicyNotApplied,
    ProviderError,
    SettingsError,
    SmsEtlError,
    UnknownFilter,
    UnknownModel,
    WrongKey,
)

DRAWN_LINE = re.compile(r"^(?P<indent>[│├└─\s]*)(?P<name>[A-Z]\w+)\b")
CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, BaseException) and value.__module__ == errors.__name__
]


def drawn_tree() -> dict[str, str]:
    """Read the drawing: each class and its parent."""
    parents: dict[str, str] = {}
    above: list[str] = ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        if found := DRAWN_LINE.match(line):
            if not found["indent"] and found["name"] != "SmsEtlError":
                continue  # prose
            depth = len(found["indent"]) // 4
            above[depth + 1 :] = [found["name"]]
            parents[found["name"]] = above[depth]
    return parents


def test_the_tree_drawn_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert drawn_tree() == {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES}


def test_no_class_has_two_parents() -> None:
    assert [cls for cls in CLASSES if len(cls.__bases__) != 1] == []


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_says_when_it_occurs(cls: type[SmsEtlError]) -> None:
    assert "__doc__" in vars(cls)
    assert len((cls.__doc__ or "").split()) >= 3


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_only_wrong_usage_exits_with_2_and_only_what_needs_attention_with_3(cls: type[SmsEtlError]) -> None:
    wrong_usage = (
        SettingsError,
        WrongKey,
        PolicyNotApplied,
        NotABulk,
        NotANumber,
        NotAPeriod,
        OutNotWritable,
        UnknownModel,
        UnknownFilter,
        InvoiceUnreadable,
        PolicyInvalid,
        NoSuchPlan,
        NoSuchHold,
        CampaignRefused,
    )
    needs_attention = (ChecksFailed, PlanRefused, LedgerBroken, DeletionStopped, CampaignUnclear)
    codes = dict.fromkeys(needs_attention, 3) | dict.fromkeys(wrong_usage, 2)
    assert cls.exit_code == codes.get(cls, 1)


def test_the_hint_stands_below_the_message() -> None:
    assert str(SmsEtlError("It broke.", hint="Mend it.")) == "It broke.\nMend it."
    assert str(SmsEtlError("It broke.")) == "It broke."


def test_a_request_id_is_part_of_the_message() -> None:
    error = ProviderError("It broke.", hint="Mend it.", status=500, request_id="abc", retry_after=3.0)
    assert str(error) == "It broke. (request id abc)\nMend it."
    assert (error.status, error.request_id, error.retry_after) == (500, "abc", 3.0)


def test_an_error_survives_the_way_to_another_process() -> None:
    sent = errors.Unavailable("It broke.", hint="Mend it.", status=503, request_id="abc")
    received = pickle.loads(pickle.dumps(sent))  # noqa: S301 - our own bytes; how process pools pass errors on
    assert (type(received), str(received), received.status) == (type(sent), str(sent), 503)
