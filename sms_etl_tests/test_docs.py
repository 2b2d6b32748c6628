"""What the pages for those who work on the code name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOR_DEVELOPERS = ("CONTRIBUTING.md", "docs/architecture.md")
PAGES = sorted(
    path for folder in (ROOT, ROOT / "docs", ROOT / "docs" / "decisions") for path in folder.glob("*.md")
)
_NAMED = re.compile(r"`(?:[\w.-]+/)*[\w.-]+(?:/|\.(?:csv|lock|md|py|sql|toml|yml))`")
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")
_WITHIN = ("sms_etl", "sms_etl_tests", "dbt_like_sql", "docs")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def exists(name: str) -> bool:
    """Take a path from the root or from the package, and a bare file name wherever it lies."""
    if (ROOT / name).exists() or (ROOT / "sms_etl" / name).exists():
        return True
    return "/" not in name and any(any((ROOT / folder).rglob(name)) for folder in _WITHIN)


@pytest.mark.parametrize("page", FOR_DEVELOPERS)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    named = {found.strip("`") for found in _NAMED.findall(read(page))}
    assert len(named) > 20
    assert [name for name in sorted(named) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_section_leads_to_a_heading(page: Path) -> None:
    for path, section in re.findall(
        r"\]\((?!https?://)([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")
    ):
        target = page.parent / path if path else page
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert section in slugs, f"{path}#{section}"


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for page in ("README.md", *FOR_DEVELOPERS):
        assert set(re.findall(r"`make ([a-z-]+)", read(page))) <= targets, page


def test_ten_questions_of_where_something_is_are_answered() -> None:
    _, _, section = read("CONTRIBUTING.md").partition("## Where is …")
    answers = [line.split("|")[2] for line in section.splitlines() if line.startswith("| …")]
    assert len(answers) >= 10
    assert all(_NAMED.search(answer) for answer in answers)


def test_the_glossary_explains_the_words_of_the_sync() -> None:
    words = set(re.findall(r"^\| \*\*([a-z ]+)\*\* \|", read("docs/naming.md"), re.MULTILINE))
    assert words >= {"checkpoint", "watermark", "overlap", "window", "landing", "backfill", "replay"}
    assert words >= {"settle", "age out", "merge", "quarantine", "publish", "close"}
