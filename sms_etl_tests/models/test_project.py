"""What load_project reads and refuses; every refusal names file and line."""

import re
import shutil
from pathlib import Path

import pytest

from sms_etl.errors import ModelError
from sms_etl.models.declared import Materialised, Severity
from sms_etl.models.files import default_path
from sms_etl.models.project import load_project, near_miss, warehouse_sources
from sms_etl_tests.models.small_project import Files, Load, Write

SEED_YML = """
models:
  - name: rates
    description: One row a code.
    owner: finance
    grain: [code]
    columns:
      - {name: code, type: bigint, description: code}
"""
PLAIN_STAGING = "select sms.uuid, sms.price from raw.sms as sms\n"
MARTS_YML = (
    "models:\n  - name: spent\n    description: d\n    owner: o\n    grain: [cost]\n    columns:\n      "
)


def test_models_come_after_what_they_read(load: Load) -> None:
    project = load()
    assert list(project.models) == ["staging.stg_sms", "marts.spent"]
    assert project.models["marts.spent"].reads == ("staging.stg_sms",)
    assert project.models["staging.stg_sms"].reads == ("raw.sms",)


def test_staging_becomes_views_and_the_rest_tables(load: Load) -> None:
    project = load()
    assert project.models["staging.stg_sms"].materialised is Materialised.VIEW
    assert project.models["marts.spent"].materialised is Materialised.TABLE


def test_a_declaration_says_otherwise(load: Load, write: Write) -> None:
    declared = (write() / "marts/_models.yml").read_text().replace("owner:", "materialised: view\n    owner:")
    assert load({"marts/_models.yml": declared}).models["marts.spent"].materialised is Materialised.VIEW


def test_columns_are_traced_through_ctes_to_what_the_model_reads(load: Load) -> None:
    project = load()
    assert project.column_lineage("marts.spent") == {"cost": [("staging.stg_sms", "price")]}
    assert project.column_lineage("staging.stg_sms") == {
        "uuid": [("raw.sms", "uuid")],
        "price": [("raw.sms", "price")],
    }


def test_a_column_made_of_two_relations_names_both(load: Load) -> None:
    sql = (
        "with a as (select sms.price from staging.stg_sms as sms),\n"
        "b as (select raw_sms.price, raw_sms.uuid from raw.sms as raw_sms)\n"
        "select a.price + sum(b.price) over (partition by b.uuid) as cost from a cross join b\n"
    )
    assert load({"marts/spent.sql": sql}).column_lineage("marts.spent") == {
        "cost": [("raw.sms", "price"), ("raw.sms", "uuid"), ("staging.stg_sms", "price")]
    }


def test_a_constant_has_no_lineage(load: Load) -> None:
    sql = "select cast(1 as decimal(38,6)) as cost\n"
    assert load({"marts/spent.sql": sql}).column_lineage("marts.spent") == {"cost": []}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(
            {"marts/spent.sql": "with sms as (\n    select * from staging.sms\n)\nselect 1 from sms\n"},
            r"project/marts/spent\.sql:2: there is no relation staging\.sms; did you mean staging\.stg_sms\?",
            id="misspelt relation",
        ),
        pytest.param(
            {"marts/spent.sql": "select sum(sms.prize) as cost\nfrom staging.stg_sms as sms\n"},
            r"project/marts/spent\.sql:1: .*prize",
            id="misspelt column",
        ),
        pytest.param(
            {"marts/spent.sql": "select\n    sum(prize) as cost\nfrom staging.stg_sms as sms\n"},
            r"project/marts/spent\.sql:2: .*prize",
            id="misspelt column without its table",
        ),
        pytest.param(
            {"marts/spent.sql": "select sum(price) as cost\nfrom stg_sms\n"},
            r"project/marts/spent\.sql:2: write stg_sms with its schema",
            id="table without schema",
        ),
        pytest.param(
            {"marts/spent.sql": "select 1 as cost;\n\nselect 2 as cost;\n"},
            r"project/marts/spent\.sql:\d: a file holds one statement",
            id="two statements",
        ),
        pytest.param(
            {"marts/spent.sql": "drop table raw.sms\n"},
            r"project/marts/spent\.sql:1: a file holds a SELECT, this is DROP",
            id="no select",
        ),
        pytest.param(
            {"marts/spent.sql": "-- later\n"}, r"spent\.sql:1: the file holds no SELECT", id="empty"
        ),
        pytest.param(
            {"marts/spent.sql": "select\n    (1 as cost\nfrom staging.stg_sms\n"},
            r"project/marts/spent\.sql:\d: \w+",
            id="syntax",
        ),
        pytest.param(
            {"marts/spent.sql": "select 'open as cost\n"},
            r"project/marts/spent\.sql:1: a quote or a comment is opened and not closed",
            id="open quote",
        ),
        pytest.param(
            {"marts/spent.sql": "select *\nfrom staging.stg_sms\n"},
            r"project/marts/spent\.sql:2: the result takes every column of staging\.stg_sms",
            id="star from a relation",
        ),
        pytest.param(
            {"marts/spent.sql": "with last as (\n    select * from staging.stg_sms\n)\nselect * from last\n"},
            r"project/marts/spent\.sql:2: the result takes every column of staging\.stg_sms",
            id="star through a CTE",
        ),
        pytest.param(
            {"marts/spent.sql": "select 1 as cost\nunion all\nselect * from staging.stg_sms\n"},
            r"project/marts/spent\.sql:3: the result takes every column",
            id="star in a union",
        ),
        pytest.param(
            {"marts/spent.sql": "select sum(sms.price) as cots from staging.stg_sms as sms\n"},
            r"project/marts/spent\.sql:1: gives cots, which is not declared; did you mean cost\?",
            id="undeclared column",
        ),
        pytest.param(
            {"staging/stg_sms.sql": "select sms.uuid from raw.sms as sms\n"},
            r"project/staging/stg_sms\.sql:1: does not give price, which is declared",
            id="missing column",
        ),
        pytest.param(
            {"marts/spend.sql": "select 1 as cost\n"},
            r"project/marts/spend\.sql:1: not declared in project/marts/_models\.yml; did you mean spent\?",
            id="file without declaration",
        ),
        pytest.param(
            {"marts/spent.sql": None, "marts/spend.sql": "select 1 as cost\n"},
            r"project/marts/_models\.yml:3: spent is declared but has no file; did you mean spend\?",
            id="declaration without file",
        ),
        pytest.param(
            {"marts/_models.yml": "models:\n  - name: [spent\n"},
            r"project/marts/_models\.yml:\d: not YAML",
            id="no YAML",
        ),
        pytest.param({"marts/_models.yml": ""}, r"project/marts/_models\.yml:1: ", id="empty YAML"),
        pytest.param(
            {"marts/_models.yml": MARTS_YML + "- {name: cost, tipe: bigint, description: d}\n"},
            r"project/marts/_models\.yml:7: models\.0\.columns\.0\.",
            id="misspelt key",
        ),
        pytest.param(
            {
                "marts/_models.yml": MARTS_YML
                + "- {name: cost, type: bigint, description: d, tests: [uniqe]}\n"
            },
            r"project/marts/_models\.yml:7: models\.0\.columns\.0\.tests\.0\.kind",
            id="misspelt test",
        ),
        pytest.param(
            {
                "marts/_models.yml": MARTS_YML
                + "- {name: cost, type: bigint, description: d, tests: [{a: 1, b: 2}]}\n"
            },
            r"project/marts/_models\.yml:7: .*one test an entry",
            id="two tests in one",
        ),
        pytest.param(
            {"marts/_models.yml": MARTS_YML + "- {name: cost, type: bigint, description: d, tests: [7]}\n"},
            r"project/marts/_models\.yml:7: .*write a test as",
            id="a number for a test",
        ),
        pytest.param(
            {
                "marts/_models.yml": MARTS_YML
                + "- &c {name: cost, type: bigint, description: d}\n      - *c\n"
            },
            r"project/marts/_models\.yml:2: spent declares cost twice",
            id="column twice",
        ),
        pytest.param(
            {"marts/_models.yml": MARTS_YML + "- {name: costs, type: bigint, description: d}\n"},
            r"project/marts/_models\.yml:2: the grain of spent names cost, no column of it",
            id="grain is no column",
        ),
        pytest.param(
            {"tests/none.sql": "-- models: marts.spend\nselect 1 as one\n"},
            r"project/tests/none\.sql:1: there is no relation marts\.spend; did you mean marts\.spent\?",
            id="test of nothing",
        ),
        pytest.param(
            {"tests/none.sql": "-- severity: fatal\nselect 1 as one from marts.spent\n"},
            r"project/tests/none\.sql:1: severity is error or warn, not fatal",
            id="severity",
        ),
        pytest.param(
            {"tests/none.sql": "select 1 as one\n"},
            r"project/tests/none\.sql:1: name what it tests",
            id="test",
        ),
        pytest.param(
            {"tests/early.sql": "-- models: staging.stg_sms\nselect 1 as one\nfrom marts.spent\n"},
            r"project/tests/early\.sql:3: staging\.stg_sms can be tested before marts\.spent is built",
            id="test that runs too early",
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(load: Load, files: Files, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(files)


def test_a_cycle_is_named_with_its_way(load: Load) -> None:
    files = {
        "staging/stg_sms.sql": "select\n    cast(spent.cost as varchar) as uuid,\n    spent.cost as price\n"
        "from marts.spent as spent\n"
    }
    with pytest.raises(ModelError) as caught:
        load(files)
    assert re.match(r"project/\w+/\w+\.sql:\d: the models read each other: ", caught.value.message)
    assert {"marts.spent", "staging.stg_sms"} <= set(re.findall(r"\w+\.\w+", caught.value.message))


def test_a_model_declared_twice_is_refused(load: Load, write: Write) -> None:
    declared = (write() / "marts/_models.yml").read_text()
    with pytest.raises(ModelError, match=r"marts/_models\.yml:\d+: spent is declared twice"):
        load({"marts/_models.yml": declared + declared.replace("\nmodels:\n", "")})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("staging.stg_sms.uid", r"which does not exist; did you mean staging\.stg_sms\.uuid\?"),
        ("marts.spent.cost", "which it is not made of"),
    ],
)
def test_a_relationship_must_lead_to_something_built_before(
    load: Load, write: Write, target: str, message: str
) -> None:
    declared = (write() / "staging/_models.yml").read_text()
    tests = "description: key, tests: [{relationships: " + target + "}]"
    with pytest.raises(ModelError, match=message):
        load({"staging/_models.yml": declared.replace("description: key", tests)})


def test_a_relationship_may_lead_to_what_the_model_reads(load: Load, write: Write) -> None:
    declared = (write() / "staging/_models.yml").read_text()
    tests = "description: key, tests: [{relationships: raw.sms.uuid, severity: warn}]"
    project = load({"staging/_models.yml": declared.replace("description: key", tests)})
    assert project.models["staging.stg_sms"].columns[0].tests[0].severity is Severity.WARN


def test_a_test_says_what_it_is_about_in_its_first_lines(load: Load) -> None:
    head = "-- Nothing is free,\n-- not even this.\n-- models: marts.spent, raw.sms\n-- severity: warn\n"
    (test,) = load({"tests/nothing_is_free.sql": head + "select 1 as one\n"}).tests
    assert (test.name, test.models, test.severity) == ("nothing_is_free", ("marts.spent", "raw.sms"), "warn")
    assert test.description == "Nothing is free, not even this."


def test_a_test_without_a_name_is_about_what_it_reads_first(load: Load) -> None:
    (test,) = load({"tests/some.sql": "select spent.cost from marts.spent as spent\n"}).tests
    assert test.models == ("marts.spent",)


def test_an_unknown_model_is_answered_with_a_near_one(load: Load) -> None:
    with pytest.raises(ModelError, match=r"there is no model marts\.spend; did you mean marts\.spent\?"):
        load().model("marts.spend")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder of models at"):
        load_project(tmp_path / "none")


def test_a_seed_of_ones_own_replaces_that_of_its_name(load: Load, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "rates.csv").write_text("code\n7\n")
    project = load({"seeds/_seeds.yml": SEED_YML, "seeds/rates.csv": "code\n1\n"}, own)
    assert project.seeds["seeds.rates"].file == own / "rates.csv"


def test_a_misspelt_seed_of_ones_own_is_not_passed_over(load: Load, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "rate.csv").write_text("code\n7\n")
    with pytest.raises(ModelError, match=r"rate\.csv:1: there is no seed rate; did you mean rates\?"):
        load({"seeds/_seeds.yml": SEED_YML, "seeds/rates.csv": "code\n1\n"}, own)


def test_a_folder_of_own_seeds_need_not_exist(load: Load, tmp_path: Path) -> None:
    assert not load(seeds=tmp_path / "none").seeds


def test_the_models_of_the_package_are_found_and_in_order() -> None:
    project = load_project()
    names = list(project.models)
    for model in project.models.values():
        before = names[: names.index(model.name)]
        known = {*before, *project.seeds, *project.sources}
        assert set(model.reads) <= known, model.name
    assert "marts.fct_sms" in names


def test_an_installed_package_brings_its_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "sms_etl"
    (package / "models").mkdir(parents=True)
    shutil.copytree(default_path(), package / "dbt_like_sql")
    monkeypatch.setattr("sms_etl.models.files.__file__", str(package / "models" / "files.py"))
    assert default_path() == package / "dbt_like_sql"
    assert load_project().models


def test_sources_are_named_and_typed_as_duckdb_does() -> None:
    sms = warehouse_sources()["raw.sms"]
    assert (sms["price"], sms["created_at"], sms["uuid"]) == ("decimal(18,6)", "timestamp", "uuid")


def test_every_model_of_the_package_says_from_where_its_columns_come() -> None:
    project = load_project()
    for name, model in project.models.items():
        lineage = project.column_lineage(name)
        assert list(lineage) == [column.name for column in model.columns]
        assert {relation for sources in lineage.values() for relation, _ in sources} <= set(model.reads)


def test_labels_start_at_the_projects_folder(load: Load, tmp_path: Path) -> None:
    assert load().models["marts.spent"].label == "project/marts/spent.sql"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("month", "; did you mean business_month?"),  # not amount, which is spelt more alike
        ("currency", "; did you mean from_currency or to_currency?"),
        ("amuont", "; did you mean amount?"),
        ("cost_daily", "; did you mean marts.cost_daily?"),
        ("zzz", ""),
    ],
)
def test_a_name_is_taken_for_one_it_is_a_part_of_before_one_that_looks_alike(name: str, says: str) -> None:
    assert (
        near_miss(name, ["business_month", "amount", "from_currency", "to_currency", "marts.cost_daily"])
        == says
    )
