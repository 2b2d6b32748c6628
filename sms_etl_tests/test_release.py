"""`make release`, in a repository as small as one can be."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import sms_etl

ROOT = Path(__file__).parents[1]
GIT, BASH = shutil.which("git") or "git", shutil.which("bash") or "bash"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
}
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "sms_etl"
dynamic = ["version"]
[tool.hatch.version]
path = "sms_etl/__init__.py"
"""


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("pyproject.toml", PROJECT)
        self.write("sms_etl/__init__.py", '__version__ = "0.2.0"\n')
        self.write("CHANGELOG.md", "# Changelog\n\n## 0.2.0 (2026-03-01)\n")
        self.write(".gitignore", "dist/\n")
        self.git("init", "--quiet")
        self.commit()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def git(self, *words: str) -> str:
        return subprocess.check_output(
            [GIT, *words], cwd=self.folder, env=os.environ | IDENTITY, text=True
        ).strip()

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Change something")

    def release(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BASH, str(ROOT / ".ci" / "release")],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHON": sys.executable, **IDENTITY},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_release_builds_the_wheel_and_tags_the_commit(repository: Repository) -> None:
    done = repository.release()
    assert done.returncode == 0, done.stderr
    [wheel] = (repository.folder / "dist").glob("sms_etl-0.2.0-*.whl")
    assert "sms_etl/__init__.py" in zipfile.ZipFile(wheel).namelist()
    assert repository.git("rev-parse", "v0.2.0^{commit}") == repository.git("rev-parse", "HEAD")


def test_a_tree_with_changes_is_not_released(repository: Repository) -> None:
    repository.write("new.txt", "not committed")
    done = repository.release()
    assert (done.returncode, done.stderr) == (1, "Not released: the tree has changes. Commit them first.\n")
    assert repository.git("tag") == ""


@pytest.mark.parametrize(
    "heading", ["## 0.2.0 (unreleased)", "## 0.1.0 (2026-03-01)", "## 0.2.01 (2026-03-01)"]
)
def test_a_version_that_the_changelog_does_not_date_is_not_released(
    repository: Repository, heading: str
) -> None:
    repository.write("CHANGELOG.md", f"# Changelog\n\n{heading}\n")
    repository.commit()
    done = repository.release()
    assert done.returncode == 1
    assert 'no heading "## 0.2.0 (YYYY-MM-DD)"' in done.stderr
    assert repository.git("tag") == ""


def test_a_version_is_released_once(repository: Repository) -> None:
    repository.git("tag", "v0.2.0")
    done = repository.release()
    assert done.returncode == 1
    assert "the tag v0.2.0 exists" in done.stderr


def test_the_changelog_names_the_version_of_the_package() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {sms_etl.__version__} (" in changelog


def test_the_installed_package_has_the_version_that_the_code_names() -> None:
    assert version("sms_etl") == sms_etl.__version__
