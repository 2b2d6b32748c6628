"""Tries changes to a module: a process for each, in which the tests run that concern it.

A change inside a function is put into a fork of a process that has imported and collected everything, where
only the tests that reach the function run. What a module does as it is imported, others may have copied:
such a change needs a process that imports the package anew.
"""

import gc
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FunctionType

import msgspec
import pytest

from sms_etl_tests.mutants.changes import Change
from sms_etl_tests.mutants.forked import BROKE_OFF, end_after, forked
from sms_etl_tests.mutants.placing import Importer, functions_of, noting, replace
from sms_etl_tests.mutants.running import FirstRun, first_run, run_in_order, with_collected

_IMPORTS_WITHIN = 120
"""Seconds for a process to import and collect before its first test: there a changed module may hang, too."""
_SHARE_INSIDE = 0.7
"""Of the time there is, for the changes inside functions; the rest is for the others."""


_NO_TIME = 3
"""How a process ends whose tests take longer, without a change, than there is."""


class SuiteFails(Exception):
    """The tests fail without a change, or cannot be collected."""


class NoTime(Exception):
    """The tests take longer without a change than there is for all of it."""


class Module(msgspec.Struct, frozen=True):
    """A module that is changed.

    Args:
        name: As it is imported.
        file: Its source.
        changes: These are tried in this order.
    """

    name: str
    file: Path
    changes: tuple[Change, ...]

    def code(self, number: int) -> CodeType:
        """Return the code with one of the changes."""
        return self.changes[number].code(str(self.file))


class Tried(msgspec.Struct):
    """What became of the changes to a module, by their numbers.

    Args:
        survived: No test noticed these.
        noticed: These were noticed.
        anew: These need a process that imports the package anew, or were not tried for want of time.
    """

    survived: list[int]
    noticed: list[int]
    anew: list[int]


class _Report(msgspec.Struct):
    first: FirstRun
    tried: list[Tried]


def try_changes(modules: Sequence[Module], tests: Sequence[str], seconds: float) -> Iterator[Tried]:
    """Yield what became of the changes to each of some modules.

    Args:
        modules: What is changed.
        tests: The files of tests that concern them.
        seconds: After so many no further change is begun.

    Raises:
        SuiteFails: The tests fail without a change, or cannot be collected.
        NoTime: Without a change they take as long as that.
    """
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        code = forked(lambda: _warm(modules, tests, began + seconds * _SHARE_INSIDE, path))
        if code == _NO_TIME:
            raise NoTime
        if code != 0:
            raise SuiteFails(path.read_text() if path.exists() else "they could not be collected")
        report = msgspec.json.decode(path.read_bytes(), type=_Report)
    for module, tried in zip(modules, report.tried, strict=True):
        while tried.anew and time.monotonic() < began + seconds:
            number = tried.anew.pop(0)
            is_noticed = forked(partial(_anew, module, number, tests, report.first)) != 0
            (tried.noticed if is_noticed else tried.survived).append(number)
        yield tried


def _warm(modules: Sequence[Module], tests: Sequence[str], until: float, path: Path) -> int:
    """Import and collect once; then fork a process for each change."""
    called: set[str] = set()
    for module in modules:
        note = partial(_note, called, module.name)
        sys.meta_path.insert(0, Importer(module.name, module.file, noting(module.file), note))

    def work(session: pytest.Session) -> int:
        as_imported = set(called)
        code = forked(lambda: _first(session, called, until, path))
        if code != 0:
            return _NO_TIME if code < 0 else code
        first = msgspec.json.decode(path.read_bytes(), type=FirstRun)
        functions = {module.name: functions_of(module.file) for module in modules}
        gc.freeze()  # else each process would go through all that was imported, and copy it
        tried = [
            _inside(session, module, functions[module.name], first, as_imported, until) for module in modules
        ]
        path.write_bytes(msgspec.json.encode(_Report(first, tried)))
        return 0

    return with_collected(tests, work)


def _note(called: set[str], module: str, function: str) -> None:
    called.add(f"{module}.{function}")


def _first(session: pytest.Session, called: set[str], until: float, path: Path) -> int:
    end_after(max(until - time.monotonic(), 1))
    run = first_run(session, called)
    path.write_bytes(run.failed.encode() if run.failed else msgspec.json.encode(run))
    return int(run.failed is not None)


def _inside(
    session: pytest.Session,
    module: Module,
    functions: Sequence[FunctionType],
    first: FirstRun,
    as_imported: set[str],
    until: float,
) -> Tried:
    """Try the changes inside functions, each put into a fork of this process."""
    tried = Tried([], [], [])
    for number, change in enumerate(module.changes):
        if change.function is None or time.monotonic() > until:
            tried.anew.append(number)
            continue
        name = f"{module.name}.{change.function}"

        def run(number: int = number, function: str = change.function, name: str = name) -> int:
            if not replace(functions, function, module.code(number)):
                return BROKE_OFF
            return run_in_order(session, first.reaching(name), first.seconds)

        code = forked(run)
        if code == BROKE_OFF or (code == 0 and name in as_imported):
            tried.anew.append(number)
        else:
            (tried.noticed if code else tried.survived).append(number)
    return tried


def _anew(module: Module, number: int, tests: Sequence[str], first: FirstRun) -> int:
    """Import the package with a change in it, and run the tests."""
    end_after(_IMPORTS_WITHIN)
    sys.meta_path.insert(0, Importer(module.name, module.file, module.code(number)))
    order = first.all(module.name)
    return with_collected(tests, lambda session: run_in_order(session, order, first.seconds))
