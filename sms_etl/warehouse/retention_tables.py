"""The tables of retention: what was deleted, what must not be, and what was planned. Part of `tables.py`."""

from sqlalchemy import BigInteger, Column, DateTime, String, Table, Uuid

from sms_etl.warehouse.metadata import metadata

deletion = Table(
    "deletion",
    metadata,
    Column("sequence", BigInteger, nullable=False, comment="of the row, from 1 on, without a gap"),
    Column("recorded_at", DateTime, nullable=False, comment="when it was written"),
    Column(
        "event",
        String,
        nullable=False,
        comment="intended (before the call), done (answered), confirmed (gone), failed (still there, or "
        "refused), accepted (somebody accepted a broken chain)",
    ),
    Column("operation_id", Uuid, nullable=False, comment="one call, or one batch of files"),
    Column("plan_id", Uuid, comment="the plan or erasure that it carries out"),
    Column("action", String, nullable=False, comment="delete, cancel, remove, blank or accept"),
    Column("place", String, nullable=False, comment="lox24, twosms, landing or warehouse"),
    Column("rule", String, nullable=False, comment="the rule that released it, by its name"),
    Column("what", String, nullable=False, comment="uuids of messages or names of files, a JSON list"),
    Column(
        "proof_digest",
        String,
        comment="SHA-256 of the state in which each was proven equal, or of the rows that were accepted",
    ),
    Column("actor", String, nullable=False, comment="user of the system that ran the command"),
    Column("answer_count", BigInteger, comment="how many the provider said it acted on"),
    Column("request_id", String, comment="X-LOX24-REQUEST-ID of the answer"),
    Column("note", String, comment="what else there is to say, as a sentence"),
    Column("previous_hash", String, nullable=False, comment="`hash` of the row before"),
    Column("hash", String, nullable=False, comment="SHA-256, 64 hex digits, of the row and `previous_hash`"),
    schema="ops",
    comment="One row an event of a deletion. Rows are added, never changed or deleted; each seals the last.",
)

hold = Table(
    "hold",
    metadata,
    Column("hold_id", Uuid, nullable=False, comment="key of the hold"),
    Column("added_at", DateTime, nullable=False, comment="when it was added"),
    Column("actor", String, nullable=False, comment="user of the system that added it"),
    Column("reason", String, nullable=False, comment="why, in the words of whoever added it"),
    Column("ends_at", DateTime, comment="no longer in force from here on; null: until it is removed"),
    Column("uuid", Uuid, comment="of the message; each condition that is given must be met"),
    Column("sender_id", String, comment="as in raw.sms"),
    Column("key_id", BigInteger, comment="API key that sent it"),
    Column("bulk_id", Uuid, comment="bulk it belongs to"),
    Column("since_at", DateTime, comment="created at or after this moment"),
    Column("until_at", DateTime, comment="created before this moment"),
    Column("removed_at", DateTime, comment="when somebody removed it; null: in force until `ends_at`"),
    Column("removed_reason", String, comment="why, in the words of whoever removed it"),
    schema="ops",
    comment="One row a hold: messages that must not be deleted, whatever the rules say.",
)

retention_plan = Table(
    "retention_plan",
    metadata,
    Column("plan_id", Uuid, nullable=False, comment="key of the plan"),
    Column("planned_at", DateTime, nullable=False, comment="when it was made"),
    Column("expires_at", DateTime, nullable=False, comment="it cannot be applied from here on"),
    Column("policy_digest", String, nullable=False, comment="SHA-256 of the policy it was made by"),
    Column("items_digest", String, nullable=False, comment="SHA-256 of its items and their states"),
    Column("content", String, nullable=False, comment="what was shown, a JSON object"),
    Column("begun_at", DateTime, comment="when it was first applied; null: not yet"),
    Column("finished_at", DateTime, comment="when all of it was applied"),
    schema="ops",
    comment="One row a plan of retention.",
)

retention_item = Table(
    "retention_item",
    metadata,
    Column("plan_id", Uuid, nullable=False, comment="of the plan"),
    Column("rule", String, nullable=False, comment="the rule that released it, by its name"),
    Column("target", String, nullable=False, comment="provider or landing"),
    Column("item", String, nullable=False, comment="uuid of a message, or name of a landed file"),
    Column("messages", BigInteger, nullable=False, comment="1, or the rows of the file"),
    Column("state", String, nullable=False, comment="SHA-256 of it as it was planned"),
    schema="ops",
    comment="One row a message or file that a plan would delete; kept until the plan is done or expired.",
)

erasure = Table(
    "erasure",
    metadata,
    Column("erasure_id", Uuid, nullable=False, comment="key of the erasure, and of its plan"),
    Column("planned_at", DateTime, nullable=False, comment="when it was planned last"),
    Column("expires_at", DateTime, nullable=False, comment="the plan is not carried out later"),
    Column("subject", String, comment="keyed hash of this key and the number; null once it is finished"),
    Column("state", String, comment="keyed hash of all that the plan found; null once it is finished"),
    Column("actor", String, nullable=False, comment="user of the system that ran the command"),
    Column("started_at", DateTime, comment="when it was carried out; null: it is only planned"),
    Column("finished_at", DateTime, comment="null though started: interrupted, to run it again completes it"),
    Column("result", String, nullable=False, comment="JSON: counts, by place; nobody's number"),
    schema="ops",
    comment="One row an erasure of a person that was planned or carried out. Nobody is named.",
)
