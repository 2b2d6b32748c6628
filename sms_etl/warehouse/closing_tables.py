"""The tables of closed months, and of what changed in them since. Part of `tables.py`."""

from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Integer, SmallInteger, String, Table, Uuid

from sms_etl.warehouse.metadata import Money, metadata

closed_period = Table(
    "closed_period",
    metadata,
    Column("month", Date, nullable=False, comment="first day of the business month"),
    Column("closed_at", DateTime, nullable=False, comment="when it was closed"),
    Column("timezone", String, nullable=False, comment="of the business days and months it was closed in"),
    Column(
        "digest",
        String,
        nullable=False,
        comment="SHA-256, 64 hex digits, of its lines, the corrections booked to it and its totals",
    ),
    Column("digest_version", Integer, nullable=False, comment="how the digest is made; see decision 0019"),
    Column(
        "totals",
        JSON,
        nullable=False,
        comment="by currency: messages and cost, the corrections booked to it included",
    ),
    Column("figures", JSON, nullable=False, comment="all that its report shows; the report is made of them"),
    Column("figures_digest", String, nullable=False, comment="SHA-256, 64 hex digits, of `figures`"),
    Column("is_forced", Boolean, nullable=False, comment="it was closed though something spoke against it"),
    Column("forced_reason", String, comment="why, in the words of whoever did; null unless forced"),
    Column(
        "overridden_reasons",
        JSON,
        nullable=False,
        comment="what spoke against it and was overridden, as a JSON list of sentences",
    ),
    Column(
        "invoice_digest", String, comment="SHA-256 of the invoice it was compared with; null: without one"
    ),
    Column(
        "differences",
        JSON,
        nullable=False,
        comment="the invoice less what is here by bucket and currency, as a JSON list",
    ),
    Column("version", String, nullable=False, comment="of sms_etl"),
    schema="finance",
    comment="One row a closed month. Rows are added, never changed or deleted.",
)

closed_line = Table(
    "closed_line",
    metadata,
    Column("month", Date, nullable=False, comment="first day of the closed business month"),
    Column("uuid", Uuid, nullable=False, comment="of the message"),
    Column("created_at", DateTime, nullable=False, comment="of the message, when the month was closed"),
    Column("business_day", Date, nullable=False, comment="of `created_at`"),
    Column("currency", String, nullable=False, comment="of `price`"),
    Column("price", Money, comment="whole message, all parts, net of VAT; null if it had none"),
    Column("parts", Integer, comment="what was billed"),
    Column("cost_centre", String, nullable=False, comment="as it was when the month was closed"),
    Column("country_code", String, nullable=False, comment="ISO 3166-1 alpha-2; ZZ: none"),
    Column("service_code", String, nullable=False, comment="the provider's service, or unknown"),
    Column("delivery_status", String, nullable=False, comment="what had become of it"),
    schema="finance",
    comment="One row a message of a closed month, as closed. Rows are added, never changed or deleted.",
)

correction = Table(
    "correction",
    metadata,
    Column("closed_month", Date, nullable=False, comment="the closed month that changed"),
    Column("booked_month", Date, nullable=False, comment="the open month it was booked to: it counts there"),
    Column("uuid", Uuid, nullable=False, comment="of the message"),
    Column(
        "kind",
        String,
        nullable=False,
        comment="price, late, moved (to or from another month), currency or removed (from the warehouse)",
    ),
    Column("messages", SmallInteger, nullable=False, comment="1: one more, -1: one less, 0: as many"),
    Column("currency", String, nullable=False, comment="of `amount`"),
    Column("amount", Money, nullable=False, comment="what the closed month would cost more, or less if < 0"),
    Column("cost_centre", String, nullable=False, comment="as closed; of a late message as it was then"),
    Column("country_code", String, nullable=False, comment="ISO 3166-1 alpha-2; ZZ: none"),
    Column("service_code", String, nullable=False, comment="the provider's service, or unknown"),
    Column("detected_at", DateTime, nullable=False, comment="when it was found, after a build"),
    schema="finance",
    comment="One row a change in a closed month, booked once. Rows are added, never changed or deleted.",
)
