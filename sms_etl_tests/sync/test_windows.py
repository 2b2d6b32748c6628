"""Windows that move while they are read: read again, then cut, and loudly given up at a single second."""

from uuid import UUID

import pytest

from sms_etl.clock import to_unix
from sms_etl.errors import WindowUnstable
from sms_etl.providers.lox24.paging import Page
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.pages import Question, Reader, Reading
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask, assert_messages_equal, warehouse_of


def moving(monkeypatch: pytest.MonkeyPatch, provider: SandboxHandle, *, times: int) -> None:
    """Let somebody delete the oldest message each time the pages behind the first are read, so many times."""
    read = Reader.read
    moves: list[int] = []

    async def moved(self: Reader, question: Question, window_id: UUID, first: Page) -> Reading:
        if len(moves) < times and (first.total or 0) > 1:
            moves.append(1)
            provider.delete(provider.truth_sms()[0]["uuid"])
        return await read(self, question, window_id, first)

    monkeypatch.setattr(Reader, "read", moved)


def test_a_window_that_moved_while_it_was_read_is_read_again(
    provider: SandboxHandle, settings_at: SettingsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(provider)
    moving(monkeypatch, provider, times=1)
    run_sync(settings)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    assert ask(settings, "select max(attempts) from ops.fetch_window") == [(2,)]


def test_a_window_that_keeps_moving_is_cut_and_read_in_parts(
    provider: SandboxHandle, settings_at: SettingsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(provider)
    moving(monkeypatch, provider, times=7)
    run_sync(settings)
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    assert ask(settings, "select count(*) > 1 from ops.fetch_window where stream = 'sms'") == [(True,)]


def test_a_second_that_never_holds_still_fails_loudly_and_leaves_the_watermark_before_it(
    empty_provider: SandboxHandle, settings_at: SettingsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = to_unix(empty_provider.now())
    empty_provider.insert(*({"created_at": now} for _ in range(90)))
    settings = settings_at(empty_provider)
    moving(monkeypatch, empty_provider, times=10_000)
    with pytest.raises(WindowUnstable, match="changed each of the 5 times"):
        run_sync(settings)
    assert ask(settings, "select count(*) from ops.watermark") == [(0,)]
    assert ask(settings, "select stopped_reason from ops.sync_run") == [("WindowUnstable",)]
