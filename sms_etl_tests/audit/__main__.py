"""Asks whether a vulnerability is known of a locked version: what `make audit` runs, in its own environment.

The advisories are the package index's own, asked by pip-audit. Exit code 1: a locked version has a known
vulnerability that `accepted.toml` does not name. Exit code 0: none is known, or nobody could be asked. Which
versions were not asked about, and whether it was done at all, is said in either case.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import Version
from pip_audit._service.interface import ResolvedDependency, ServiceError
from pip_audit._service.pypi import PyPIService
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import RequestException

_LOCKED = re.compile(r"^([\w.-]+)(?:\[[\w,.-]+\])?==([\w.+!-]+)", re.MULTILINE)
_SECONDS_FOR_AN_ANSWER = 15
ACCEPTED = Path(__file__).with_name("accepted.toml")
Locked = tuple[str, str]


class NewestInstead(BaseAdapter):
    """Asks for a package as a whole where an index does not answer for a version, as some mirrors do not.

    That answer is of the newest version; it is taken only if that is the version that was asked for.

    Args:
        index: Sends the requests.
    """

    def __init__(self, index: BaseAdapter) -> None:
        super().__init__()
        self._index = index

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """Send a request, or the other one."""
        answer = self._index.send(request, *arguments, **options)
        asked = re.fullmatch(r"(.*)/([^/]+)/json", request.url or "")
        if answer.status_code != 404 or asked is None:
            return answer
        instead = request.copy()
        instead.url = f"{asked[1]}/json"
        newest = self._index.send(instead, *arguments, **options)
        is_it = newest.status_code == 200 and newest.json()["info"]["version"] == asked[2]
        return newest if is_it else answer

    def close(self) -> None:
        """Close what sends the requests."""
        self._index.close()


@dataclass
class Audit:
    """What was found."""

    packages: int
    asked: int = 0
    unknown: list[str] = field(default_factory=list)
    """Versions for which the index has no answer."""
    accepted: list[str] = field(default_factory=list)
    vulnerable: list[str] = field(default_factory=list)
    stopped_by: str | None = None
    """Why not all could be asked about; None: they were."""

    def lines(self) -> Iterator[str]:
        """Say it."""
        if self.stopped_by is not None:
            yield f"NOT DONE: after {self.asked} of {self.packages} locked versions, {self.stopped_by}."
        else:
            yield f"Asked about {self.asked} of {self.packages} locked versions."
        if self.unknown:
            named = ", ".join(self.unknown)
            yield f"NOT KNOWN of {len(self.unknown)}, which the index does not answer: {named}."
        if self.accepted:
            yield f"Accepted in {ACCEPTED.name}: {', '.join(self.accepted)}."
        yield from self.vulnerable
        if not self.vulnerable:
            yield "No vulnerability is known of what was asked."


def locked_in(files: Sequence[Path]) -> list[Locked]:
    """Return the packages and versions of lock files, each once."""
    return sorted({(found[1], found[2]) for file in files for found in _LOCKED.finditer(file.read_text())})


def accepted_ids() -> frozenset[str]:
    """Return the vulnerabilities that somebody has looked at, and why they do not matter here."""
    return frozenset(each["id"] for each in tomllib.loads(ACCEPTED.read_text()).get("accepted", ()))


def audit(locked: Sequence[Locked], index: BaseAdapter, accepted: frozenset[str]) -> Audit:
    """Ask about each version until the index cannot be reached."""
    service = PyPIService(timeout=_SECONDS_FOR_AN_ANSWER)
    service.session.mount("https://", NewestInstead(index))
    found = Audit(len(locked))
    for name, version in locked:
        try:
            answered, results = service.query(ResolvedDependency(name=name, version=Version(version)))
        except (ServiceError, RequestException) as exc:
            found.stopped_by = f"the index of advisories did not answer ({type(exc).__name__})"
            break
        if answered.is_skipped():
            found.unknown.append(f"{name} {version}")
            continue
        found.asked += 1
        for each in results:
            names = [each.id, *sorted(each.aliases)]
            fixed = ", ".join(map(str, each.fix_versions)) or "no version yet"
            line = f"{name} {version}: {' = '.join(names)}, fixed in {fixed}"
            (found.accepted if accepted & set(names) else found.vulnerable).append(line)
    return found


def main(files: Sequence[Path], index: BaseAdapter | None = None) -> int:
    """Print what is known of what is locked in files; return the exit code."""
    found = audit(locked_in(files), index or HTTPAdapter(), accepted_ids())
    print(*found.lines(), sep="\n")  # noqa: T201 - what it is for
    return 1 if found.vulnerable else 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
