"""The table of delivery events. Part of `tables.py`."""

from sqlalchemy import Column, DateTime, Integer, String, Table, Uuid

from sms_etl.warehouse.metadata import metadata

delivery_event = Table(
    "delivery_event",
    metadata,
    Column("event_id", Uuid, nullable=False, comment="of the event, the same at each attempt"),
    Column("uuid", Uuid, nullable=False, comment="of the message"),
    Column("event_at", DateTime, nullable=False, comment="when the report changed, by the provider's clock"),
    Column("status_code", Integer, comment="the provider's status code then; null: not said"),
    Column("dlr_code", Integer, nullable=False, comment="the provider's delivery report code then"),
    Column("received_at", DateTime, nullable=False, comment="when it was received"),
    Column("recorded_at", DateTime, nullable=False, comment="when a sync wrote it here"),
    Column("applied_at", DateTime, comment="when its message was there; null: it waits for it"),
    Column(
        "outcome",
        String,
        comment="changed (its message), known (it was so already) or superseded (something newer was); "
        "null: it waits",
    ),
    schema="ops",
    comment="One row a delivery event of the webhook, each once. Rows are added; only the last two change.",
)
