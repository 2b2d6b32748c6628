"""The page of the models: everything is on it, no description becomes markup, and it asks for nothing."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sms_etl.errors import DataDirError
from sms_etl.models.checks import checks
from sms_etl.models.drawing import Drawing, draw
from sms_etl.models.page import render, write_docs
from sms_etl.models.project import load_project
from sms_etl_tests.models.small_project import MARTS, Load

PROJECT = load_project()
HOSTILE = "</style><script>alert(1)</script> <img src=x onerror=alert(1)> & `<b>` \" '"


class Read(HTMLParser):
    """The tags of a page, its texts by section, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sections: dict[str, str] = {}
        self._section = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if tag == "a" else []
        if tag == "section":
            self._section = given["id"] or ""

    def handle_data(self, data: str) -> None:
        self.sections[self._section] = self.sections.get(self._section, "") + data


@pytest.fixture(scope="module")
def page() -> Read:
    return Read(render(PROJECT))


def test_every_relation_is_there_with_its_description_columns_and_tests(page: Read) -> None:
    for relation in (*PROJECT.models.values(), *PROJECT.seeds.values()):
        text = page.sections[relation.name]
        assert relation.description.replace("`", "") in text
        for column in relation.columns:
            assert column.name in text
            assert column.type in text
            assert column.description.strip().replace("`", "") in text
        assert all(check.test in text for check in checks(PROJECT, [relation.name]))


def test_every_model_shows_its_sql_as_it_is_written(page: Read) -> None:
    for model in PROJECT.models.values():
        assert model.written in page.sections[model.name]


def test_every_source_is_there_with_what_its_columns_mean(page: Read) -> None:
    for name, columns in PROJECT.sources.items():
        assert all(column in page.sections[name] for column in columns)
    assert "the provider's key" in page.sections["raw.sms"]


def test_every_link_leads_somewhere_on_the_page(page: Read) -> None:
    assert {link for link in page.links if not link.startswith("#")} == set()
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_a_column_shows_what_it_is_made_of(page: Read) -> None:
    assert re.search(
        r"average_price_per_part.*marts\.fct_sms\.price", page.sections["marts.cost_daily"], re.DOTALL
    )


def test_the_page_runs_nothing_and_loads_nothing() -> None:
    page = render(PROJECT)
    assert not {"script", "img", "iframe", "object", "form"} & set(Read(page).tags)
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|url\((?!#)|@import", page)


def test_a_description_can_not_become_markup(load: Load) -> None:
    declared = MARTS.replace("One row.", "'" + HOSTILE.replace("'", "''") + "'")
    declared = declared.replace("description: sum", "description: '" + HOSTILE.replace("'", "''") + "'")
    sql = f"-- {HOSTILE}\nselect sum(sms.price) as cost from raw.sms as sms\n"
    page = render(load({"marts/_models.yml": declared, "marts/spent.sql": sql}))
    assert not {"script", "img", "b"} & set(Read(page).tags)
    assert page.count("<style") == page.count("</style>") == 1
    assert Read(page).sections["marts.spent"].count(HOSTILE.replace("`", "")) == 2
    assert HOSTILE in Read(page).sections["marts.spent"]


def test_the_page_is_written_in_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "models.html"
    for _ in range(2):
        result = write_docs(PROJECT, path)
    assert result.path == path
    assert result.relations == len(PROJECT.models) + len(PROJECT.seeds) + len(PROJECT.sources)
    assert [each.name for each in path.parent.iterdir()] == ["models.html"]
    assert path.stat().st_size < 10_000 * result.relations


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "docs").write_text("a file")
    with pytest.raises(DataDirError):
        write_docs(PROJECT, tmp_path / "docs" / "models.html")


def drawing() -> Drawing:
    return draw(
        {name: model.reads for name, model in PROJECT.models.items()} | dict.fromkeys(PROJECT.sources, ())
    )


def test_whatever_is_made_of_something_stands_right_of_it() -> None:
    drawn = drawing()
    boxes = {box.name: box for box in drawn.boxes}
    assert drawn.arrows
    for arrow in drawn.arrows:
        assert boxes[arrow.start].x + boxes[arrow.start].width < boxes[arrow.end].x


def test_there_is_an_arrow_for_each_reading_and_none_besides() -> None:
    drawn = {(arrow.start, arrow.end) for arrow in drawing().arrows}
    names = {*PROJECT.models, *PROJECT.sources}
    assert drawn == {
        (read, name) for name, model in PROJECT.models.items() for read in model.reads if read in names
    }


def test_no_box_covers_another_and_all_lie_within_the_picture() -> None:
    drawn = drawing()
    for place, box in enumerate(drawn.boxes):
        assert 0 <= box.x <= drawn.width - box.width
        assert 0 <= box.y <= drawn.height - box.height
        for other in drawn.boxes[place + 1 :]:
            assert box.x != other.x or abs(box.y - other.y) >= box.height


def test_a_picture_of_nothing_is_empty() -> None:
    assert draw({}).boxes == ()
