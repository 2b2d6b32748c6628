"""Holds what the sample takes for changed."""

import subprocess
from pathlib import Path

import pytest

from sms_etl_tests.mutants.since import base_of, changed_lines


def git(folder: Path, *arguments: str) -> str:
    as_somebody = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    command = ["git", *as_somebody, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, text: str) -> str:
    (folder / "module.py").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "A thought")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, "one\ntwo\nthree\nfour\n")
    return folder


def test_the_first_commit_has_nothing_before_it(project: Path) -> None:
    assert base_of(project) is None


def test_main_is_compared_with_the_commit_before(project: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    commit(project, "one\n")

    assert base_of(project) == first


def test_a_branch_is_compared_with_where_it_left_main(project: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    git(project, "checkout", "--quiet", "-b", "branch")
    commit(project, "one\n")
    commit(project, "two\n")

    assert base_of(project) == first


def test_a_shallow_clone_has_nothing_before_it(project: Path, tmp_path: Path) -> None:
    commit(project, "one\n")
    git(tmp_path, "clone", "--quiet", "--depth=1", project.as_uri(), "shallow")

    assert base_of(tmp_path / "shallow") is None


def test_a_folder_without_git_has_nothing_before_it(tmp_path: Path) -> None:
    assert base_of(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one\ntwo\nthree\nfour\n", {}),
        ("one\n2\nthree\nfour\n", {"module.py": {2}}),
        ("one\ntwo\nthree\nfour\nfive\nsix\n", {"module.py": {5, 6}}),
        ("one\nthree\nfour\n", {"module.py": {1, 2}}),
    ],
)
def test_lines_that_differ_from_a_commit_are_changed(
    project: Path, text: str, lines: dict[str, set[int]]
) -> None:
    (project / "module.py").write_text(text)

    assert changed_lines(project, "HEAD") == lines


def test_a_commit_that_is_not_there_is_refused(project: Path) -> None:
    with pytest.raises(ValueError, match="no commit"):
        changed_lines(project, "nowhere")
