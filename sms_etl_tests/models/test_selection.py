"""Choosing models by the graph."""

import pytest

from sms_etl.errors import UnknownModel
from sms_etl.models.project import load_project
from sms_etl.models.selection import selected
from sms_etl_tests.models.small_project import STAGING, Load

PROJECT = load_project()
MADE_OF = {
    "staging.stg_sms",
    "staging.stg_sms_change",
    "intermediate.int_codes_daily",
    "intermediate.int_cost_centre_rule",
    "intermediate.int_logged_codes_daily",
    "intermediate.int_sms_settled",
    "intermediate.int_status",
    "marts.dim_country",
}


@pytest.mark.parametrize(
    ("selectors", "chosen"),
    [
        (["marts.cost_daily"], {"marts.cost_daily"}),
        (["cost_daily"], {"marts.cost_daily"}),
        (["delivery_daily+"], {"marts.delivery_daily", "marts.data_status"}),
        (["+marts.fct_sms"], {*MADE_OF, "marts.fct_sms"}),
        (["+delivery_daily+"], {*MADE_OF, "marts.fct_sms", "marts.delivery_daily", "marts.data_status"}),
        (["dim_status,dim_country"], {"marts.dim_status", "marts.dim_country"}),
        (["dim_status dim_country"], {"marts.dim_status", "marts.dim_country"}),
        (["dim_status", "dim_country"], {"marts.dim_status", "marts.dim_country"}),
    ],
)
def test_a_selector_chooses_by_name_and_by_the_graph(selectors: list[str], chosen: set[str]) -> None:
    assert selected(PROJECT, selectors) == chosen


@pytest.mark.parametrize("word", ["cost_monthli", "+cost_monthli", "marts.cost_monthli+"])
def test_an_unknown_name_is_answered_with_a_near_one_and_with_all_there_are(word: str) -> None:
    with pytest.raises(UnknownModel, match=r"no model .*; did you mean .*cost_monthly\?") as caught:
        selected(PROJECT, [word])
    assert all(name in caught.value.hint for name in PROJECT.models)


@pytest.mark.parametrize("selectors", [[""], [",", " "], ["+"]])
def test_a_selection_of_nothing_is_refused(selectors: list[str]) -> None:
    with pytest.raises(UnknownModel):
        selected(PROJECT, selectors)


def test_a_name_in_two_schemas_needs_its_schema(load: Load) -> None:
    files = {
        "other/_models.yml": STAGING,
        "other/stg_sms.sql": "select sms.uuid, sms.price from raw.sms as sms\n",
    }
    project = load(files)
    with pytest.raises(UnknownModel, match=r"several models are called stg_sms: .*other\.stg_sms"):
        selected(project, ["stg_sms"])
    assert selected(project, ["other.stg_sms"]) == {"other.stg_sms"}
