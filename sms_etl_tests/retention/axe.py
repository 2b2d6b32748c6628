"""Ends a run of retention at any of its steps, as a kill would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.retention.ledger import Ledger, Page


class Killed(BaseException):
    """What ends a run at any moment."""


class Axe:
    """Ends a run at one of its steps: what it asks of the provider and what it writes."""

    def __init__(self, at: int, *, is_after: bool) -> None:
        self.steps = 0
        self._at = at
        self._is_after = is_after

    def before(self) -> None:
        self.steps += 1
        if self.steps == self._at and not self._is_after:
            raise Killed

    def after(self) -> None:
        if self.steps == self._at and self._is_after:
            raise Killed


def watched(monkeypatch: pytest.MonkeyPatch, axe: Axe) -> None:
    """Let the axe fall around every request and every transaction of the ledger."""
    for name in ("read_messages", "delete_messages"):

        def asks(asked: Callable[..., Any]) -> Callable[..., Any]:
            async def call(self: Lox24Writer, *words: Any) -> Any:
                axe.before()
                answer = await asked(self, *words)
                axe.after()
                return answer

            return call

        monkeypatch.setattr(Lox24Writer, name, asks(getattr(Lox24Writer, name)))
    begin = Ledger.begin

    @contextmanager
    def page(ledger: Ledger) -> Iterator[Page]:
        axe.before()
        with begin(ledger) as opened:
            yield opened
        axe.after()

    monkeypatch.setattr(Ledger, "begin", page)
