"""Finds the lines of modules that changed since a commit."""

import re
import subprocess
from pathlib import Path

_FILE = re.compile(r"^\+\+\+ b/(.+)$")
_LINES = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def base_of(project: Path) -> str | None:
    """Return the commit where this branch left `main`, else the one before; None where neither is there."""
    head = _git(project, "rev-parse", "--verify", "--quiet", "HEAD")
    for main in ("origin/main", "main"):
        base = _git(project, "merge-base", "HEAD", main)
        if base and base != head:
            return base
    return _git(project, "rev-parse", "--verify", "--quiet", "HEAD~1")


def changed_lines(project: Path, commit: str) -> dict[str, set[int]]:
    """Return the lines that changed since a commit, by file; where lines were taken out, those around them.

    Raises:
        ValueError: There is no such commit.
    """
    form = ("--unified=0", "--no-color", "--no-ext-diff", "--dst-prefix=b/")
    diff = _git(project, "diff", *form, commit, "--", "*.py")
    if diff is None:
        raise ValueError(f"{commit} is no commit of this repository")
    found: dict[str, set[int]] = {}
    lines: set[int] = set()
    for line in diff.splitlines():
        if file := _FILE.match(line):
            lines = found.setdefault(file[1], set())
        elif at := _LINES.match(line):
            first, count = int(at[1]), int(at[2] or 1)
            lines.update(range(first, first + count) if count else (first, first + 1))
    return found


def _git(project: Path, *arguments: str) -> str | None:
    """Return what git says; None where it fails, or is missing."""
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments],  # noqa: S607 - the PATH's git
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
