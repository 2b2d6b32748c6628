import grimp
import pytest

from sms_etl_tests import room_picture
from sms_etl_tests.room_picture import PAGE, reduced, renewed


def test_the_picture_of_the_rooms_shows_the_code_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "make picture"


def test_an_arrow_that_a_longer_way_shows_is_left_out() -> None:
    edges = {"cli": {"sync", "clock"}, "sync": {"clock"}, "clock": set[str]()}
    assert reduced(edges) == {"cli": {"sync"}, "sync": {"clock"}, "clock": set()}


def test_a_circle_of_rooms_is_refused() -> None:
    with pytest.raises(ValueError, match="sync -> warehouse -> sync"):
        reduced({"sync": {"warehouse"}, "warehouse": {"sync"}})


def test_a_module_in_no_layer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = grimp.ImportGraph()
    graph.add_module("sms_etl.parlour")
    monkeypatch.setattr(grimp, "build_graph", lambda *_args, **_options: graph)
    with pytest.raises(ValueError, match=r"sms_etl\.parlour is in no layer"):
        room_picture.draw()


def test_a_page_without_a_place_for_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        renewed("# Architecture\n")
