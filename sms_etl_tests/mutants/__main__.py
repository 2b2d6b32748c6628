"""Changes a module in one place at a time and runs its tests: `python -m sms_etl_tests.mutants MODULE ...`.

Each changed module lives in a process of its own, which is forked once the libraries are imported; no file is
written. What survives and is not in `accepted.toml` ends it with 1.
"""

import argparse
import ast
import importlib
import os
import random
import signal
import sys
import time
import tomllib
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

from sms_etl_tests.mutants.changes import Change, changes_of
from sms_etl_tests.mutants.suites import PACKAGE, modules, suite_of

_LIBRARIES = ("pytest", "duckdb", "pyarrow.parquet", "sqlalchemy", "httpx", "aiohttp", "pydantic")
"""Imported once; without those that pytest must import itself, and without ours."""
_PATIENCE = 3
"""So many times as long as the unchanged module's tests, and ten seconds: then it hangs, which is noticed."""


class _Changed(MetaPathFinder, Loader):
    """Imports one module from a changed tree."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self._path, self._tree = str(PACKAGE / module), tree
        self._name = module.removesuffix(".py").replace("/", ".")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return spec_from_loader(fullname, self, origin=self._path) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._path
        exec(compile(self._tree, self._path, "exec"), module.__dict__)  # noqa: S102 - our own module


def is_noticed(module: str, tree: ast.Module, seconds: float) -> bool:
    """Whether a module's tests fail, or take too long, with this in its place."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(_passed(module, tree))
    until, status = time.monotonic() + seconds, None
    try:
        while status is None and time.monotonic() < until:
            ended, code = os.waitpid(child, os.WNOHANG)
            status = code if ended else None
            time.sleep(0.02)
    finally:
        if status is None:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return status != 0


def _passed(module: str, tree: ast.Module) -> int:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.meta_path.insert(0, _Changed(module, tree))
    try:
        return int(
            importlib.import_module("pytest").main(["-qx", "-p", "no:cacheprovider", *suite_of(module)])
        )
    except BaseException:  # noqa: BLE001 - however it ends: it was noticed
        return 1


def run(module: str, seconds: float) -> tuple[list[Change], int, int]:
    """Return what survived, how many changes were tried, and how many there are.

    Args:
        module: Its path below the project.
        seconds: After so many no further change is begun; which are tried is chance, the same each time.
    """
    source = (PACKAGE / module).read_text()
    began = time.monotonic()
    if is_noticed(module, ast.parse(source), 600):
        raise SystemExit(f"{module}: its tests fail, or take ten minutes, without a change")
    patience = (time.monotonic() - began) * _PATIENCE + 10
    changes = list(changes_of(source))
    survivors, tried, until = [], 0, time.monotonic() + seconds
    for change in random.Random(0).sample(changes, len(changes)):
        if time.monotonic() > until:
            break
        tried += 1
        if not is_noticed(module, change.tree, patience):
            survivors.append(change)
    return sorted(survivors, key=lambda change: change.line), tried, len(changes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the modules named, or all; return 1 if a change survives that is not accepted."""
    parser = argparse.ArgumentParser(prog="python -m sms_etl_tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=modules())
    parser.add_argument("--seconds", type=float, default=300, help="for each module (default: %(default)s)")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what runs is ended, too
    accepted = tomllib.loads((Path(__file__).parent / "accepted.toml").read_text())
    for library in _LIBRARIES:
        importlib.import_module(library)
    is_new = False
    for module in given.modules:
        survivors, tried, there_are = run(module, given.seconds)
        reasons = accepted.get(module, {})
        sys.stdout.write(f"{module}: {tried - len(survivors)} of {tried} noticed, {there_are} in all\n")
        for change in survivors:
            is_new |= change.name not in reasons
            reason = reasons.get(change.name, "NOT ACCEPTED")
            sys.stdout.write(f"  {change.line}: {change.name[:400]}\n      {reason}\n")
        sys.stdout.flush()
    return int(is_new)


if __name__ == "__main__":
    sys.exit(main())
