"""What a listing by uuid shows of the messages it was asked for, and whether it can be relied on. Pure."""

from uuid import UUID

import msgspec

from sms_etl.providers.lox24.message_ids import MessageIds
from sms_etl.providers.lox24.paging import Page

Rows = dict[UUID, msgspec.Raw]
"""Messages as the provider wrote them; `records.read_sms` reads one."""


class Listed:
    """What the pages of a listing by uuid have shown so far."""

    def __init__(self) -> None:
        self.pages = 0
        self.rows: Rows = {}
        self.others = False
        """Whether there was a row that was not asked for: the filter is not obeyed."""
        self.is_ended = False
        self._total: int | None = None

    def add(self, page: Page, ids: MessageIds) -> None:
        """Take in one page."""
        self.pages += 1
        self.is_ended = not page.rows
        if self.pages == 1:
            self._total = page.total
        wanted = set(ids)
        for raw, keys in zip(page.rows, page.keys, strict=True):
            uuid = uuid_or_none(keys.uuid)
            if uuid in wanted and uuid is not None:
                self.rows[uuid] = raw
            else:
                self.others = True

    def is_whole(self, ids: MessageIds) -> bool:
        """Whether what is not among the rows is not there, if the filter takes a list."""
        if len(self.rows) == len(ids):
            return True
        if self.others or not self.is_ended:
            return False
        return self.pages <= 2 or len(self.rows) == self._total  # one page of rows needs no stable order


def uuid_or_none(text: str | None) -> UUID | None:
    """Read a row's uuid; None if it is none."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
