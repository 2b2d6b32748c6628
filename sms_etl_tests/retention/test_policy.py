"""Holds that a retention policy says what it means, or is refused with the line that does not."""

from datetime import timedelta
from pathlib import Path

import pytest

from sms_etl.errors import PolicyInvalid
from sms_etl.retention.policy import DISPUTE_DAYS, Policy, Rule, Target, parse_policy, read_policy

RULE = '[[rule]]\nname = "old"\ntarget = "provider"\nolder_than = "90d"\n'


def test_a_policy_is_read_rule_by_rule() -> None:
    text = f"""
dispute_days = 30  # as agreed
{RULE}service = ["direct", "pro"]
sender_id = ["LOGIN"]
key_id = [7, 8]
delivery_status = ["delivered"]
require_closed = true

[[rule]]
name = "files"
target = "landing"
older_than = "12w"
"""
    assert parse_policy(text) == Policy(
        (
            Rule(
                "old",
                Target.PROVIDER,
                timedelta(days=90),
                ("direct", "pro"),
                ("LOGIN",),
                (7, 8),
                ("delivered",),
                require_closed=True,
            ),
            Rule("files", Target.LANDING, timedelta(days=84)),
        ),
        30,
    )


def test_a_byte_order_mark_is_not_part_of_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "retention.toml"
    path.write_text(RULE, encoding="utf-8-sig")
    assert [rule.name for rule in read_policy(path).rules] == ["old"]


def test_a_refusal_names_each_known_service_once_and_ends_in_one_mark() -> None:
    with pytest.raises(PolicyInvalid) as raised:
        parse_policy(f'{RULE}service = ["Direct"]\n', more_services=["direct", "viber"])
    assert raised.value.message.count("direct") == 2  # once among the known, once as what is near
    assert raised.value.message.endswith("did you mean direct?")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "rule = []\n"])
def test_an_empty_policy_has_no_rules(text: str) -> None:
    assert parse_policy(text) == Policy((), DISPUTE_DAYS)


def test_a_file_that_is_not_there_has_no_rules(tmp_path: Path) -> None:
    assert read_policy(tmp_path / "retention.toml") == Policy()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("dispute_days = true\n", 1, "dispute_days must be days"),
        ("dispute_days = -1\n", 1, "dispute_days must be days"),
        ("\ndispute_day = 3\n", 2, "did you mean dispute_days?"),
        ("[rule]\nname = 'x'\n", 1, "[[rule]]"),
        (RULE + "older = 3\n", 5, "older is not known here"),
        (RULE + "sender = ['A']\n", 5, "did you mean sender_id?"),
        ('[[rule]]\nname = "old"\ntarget = "provider"\n', 1, "no older_than"),
        ('[[rule]]\ntarget = "provider"\nolder_than = "90d"\n', 1, "no name"),
        (RULE + RULE, 6, "two rules have the name 'old'"),
        (RULE + RULE.replace('"old"', '"new"').replace("provider", "provder"), 7, "did you mean provider?"),
        (RULE.replace("provider", "provider_text"), 3, "not only its text"),
        (RULE.replace("provider", "warehouse"), 3, "not offered"),
        (RULE.replace('"90d"', "90"), 4, "older_than must be"),
        (RULE.replace("90d", "0d"), 4, "older_than must be"),
        (RULE.replace("90d", "3 months"), 4, "older_than must be"),
        (RULE.replace("90d", "9999999d"), 4, "older_than must be"),
        (RULE.replace('"old"', '""'), 2, "name must be"),
        (RULE.replace('"old"', '"o\\u0007"'), 2, "name must be"),
        (RULE + "service = 'direct'\n", 5, "service must be a list of texts"),
        (RULE + "service = []\n", 5, "at least one"),
        (RULE + "service = ['dirct']\n", 5, "did you mean direct?"),
        (RULE + "sender_id = ['']\n", 5, "empty text"),
        (RULE + "key_id = ['7']\n", 5, "whole numbers"),
        (RULE + "key_id = [true]\n", 5, "whole numbers"),
        (RULE + "delivery_status = ['deliverd']\n", 5, "did you mean delivered?"),
        (RULE + "require_closed = 'yes'\n", 5, "true or false"),
        ("rule = 3\n", 1, "[[rule]]"),
    ],
)
def test_what_could_be_meant_otherwise_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        parse_policy(text)
    assert f"retention.toml, line {line}: " in caught.value.message
    assert says in caught.value.message


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(PolicyInvalid, match="line 2"):
        parse_policy('[[rule]]\nname = "old\n')


def test_a_service_that_messages_were_sent_by_is_known() -> None:
    [rule] = parse_policy(RULE + "service = ['gold']\n", more_services={"gold"}).rules
    assert rule.service == ("gold",)


def test_a_file_that_is_a_folder_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="cannot be read"):
        read_policy(tmp_path)
    file = tmp_path / "retention.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyInvalid, match="UTF-8"):
        read_policy(file)


def test_the_digest_changes_with_each_rule_and_with_no_comment() -> None:
    digest = parse_policy(RULE).digest
    assert parse_policy("# the same\n" + RULE).digest == digest
    others = ("dispute_days = 3\n" + RULE, RULE.replace("90d", "91d"), RULE + "key_id = [7]\n", "")
    assert len({digest, *(parse_policy(each).digest for each in others)}) == 5


def test_the_example_of_the_page_is_a_policy() -> None:
    page = (Path(__file__).parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert [rule.target for rule in parse_policy(example).rules] == [
        Target.PROVIDER,
        Target.PROVIDER,
        Target.LANDING,
    ]
