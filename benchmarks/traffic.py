"""Makes the messages of the benchmark: as the provider's JSON rows, or in SQL. No clock, no chance.

Message number i is a function of i (see traffic.sql), so a server that holds the newest messages and a
warehouse whose older ones were written by SQL tell one story.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

EPOCH = 1_735_689_600
"""2025-01-01: message 0, in unix seconds."""
MESSAGES_A_DAY = 1_000_000 / 90
_SCRAMBLE = 2_654_435_761
_UNSCRAMBLE = pow(_SCRAMBLE, -1, 2**32)

SELECT = (Path(__file__).parent / "traffic.sql").read_text(encoding="utf-8")
"""Wants $first, $count and $epoch."""

_ROW = """
'{"@id":"/sms/' || uuid || '","@type":"Sms","bulk_id":'
|| coalesce('"' || bulk_id || '"', 'null') || ',"callback_data":'
|| coalesce('"' || callback_data || '"', 'null') || ',"chars_count":' || length(text)
|| ',"clicks":"/sms/' || uuid || '/clicks","created_at":' || created
|| ',"delivery_at":0,"dlr_code":' || dlr_code || ',"gateway_sent_at":' || created + 2
|| ',"ip":"203.0.113.' || i % 250 || '","is_sent":true,"is_text_deleted":false,"is_unicode":' || is_unicode
|| ',"iso2":"' || iso2 || '","key_id":' || key_id || ',"parts_count":' || parts || ',"phone":"' || phone
|| '","price":' || price || ',"requests":"/sms/' || uuid || '/requests","sender_id":"' || sender_id
|| '","service_code":"' || service_code || '","source":0,"status_code":100,"text":"' || text
|| '","uuid":"' || uuid || '","voice_lang":null,"attempts_count_max":null},'
"""


@dataclass(frozen=True)
class EncodedRows:
    """Messages as the provider writes them, one after the other in a buffer, each with a comma behind it."""

    text: bytearray
    offsets: memoryview
    """Of int64: where each row begins, and where the last one ends."""
    created_at: memoryview
    """Of int64, ascending; unix seconds."""
    first: int
    """Number of the first message."""

    def __len__(self) -> int:
        return len(self.created_at)

    def index_of(self, uuid: str) -> int | None:
        """Find a message by its uuid."""
        try:
            index = number_of(uuid) - self.first
        except ValueError:
            return None
        if not 0 <= index < len(self):
            return None
        start = self.offsets[index]
        return index if self.text.startswith(b'{"@id":"/sms/' + uuid.encode(), start) else None


def encoded_rows(first: int, count: int) -> EncodedRows:
    """Return so many messages from a number on, as JSON."""
    with duckdb.connect() as connection:
        table = connection.sql(
            f"select ({_ROW})::varchar as row, created from ({SELECT}) order by i",  # noqa: S608 - our own text
            params={"first": first, "count": count, "epoch": EPOCH},
        ).to_arrow_table()
    rows = table.column("row").cast(pa.large_string()).combine_chunks()
    created = table.column("created").combine_chunks()
    _, offsets, text = rows.buffers()
    return EncodedRows(
        bytearray(text),
        memoryview(offsets).cast("b").cast("q")[rows.offset : rows.offset + count + 1],
        memoryview(created.buffers()[1]).cast("b").cast("q")[created.offset : created.offset + count],
        first,
    )


def may_be_open(number: int) -> bool:
    """Whether a message is of the two in five whose report can still be awaited."""
    return number % 5 < 2


def number_of(uuid: str) -> int:
    """Read the number of a message from its uuid."""
    return int(uuid[:8], 16) * _UNSCRAMBLE % 2**32
