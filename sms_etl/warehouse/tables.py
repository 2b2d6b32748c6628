"""The tables of the warehouse that are not built by a SQL model: `raw.*` and `ops.*`.

Times are UTC without a zone; money is DECIMAL(18,6) and always beside a currency. No table has a primary
key: DuckDB's index would double the file and slow the merge fivefold; a test holds each grain unique.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Uuid,
)

metadata = MetaData()
Money = Numeric(18, 6)

sms = Table(
    "sms",
    metadata,
    Column("uuid", Uuid, nullable=False, comment="the provider's key"),
    Column("created_at", DateTime, nullable=False),
    Column("delivery_at", DateTime, comment="scheduled for; null: at once"),
    Column("gateway_sent_at", DateTime, comment="null until sent"),
    Column("status_code", Integer),
    Column("dlr_code", Integer),
    Column("is_sent", Boolean),
    Column("is_unicode", Boolean),
    Column("is_text_deleted", Boolean),
    Column("iso2", String),
    Column("parts_count", Integer, comment="what is billed"),
    Column("chars_count", Integer),
    Column("price", Money, comment="whole message, all parts, net of VAT"),
    Column("currency", String, nullable=False, comment="the account's, from GET /me"),
    Column("service_code", String),
    Column("voice_lang", String),
    Column("sender_id", String),
    Column("callback_data", String),
    Column("bulk_id", Uuid),
    Column("key_id", BigInteger, comment="API key that sent it"),
    Column("source", BigInteger, comment="the provider gives no bounds"),
    Column("ip", String),
    Column("attempts_count_max", SmallInteger, comment="voice only"),
    Column("phone_hash", String, comment="HMAC-SHA-256 of the number, 32 hex digits"),
    Column("phone_masked", String, comment="country code and last two digits"),
    Column("phone", String, comment="null unless SMS_ETL_PII=keep"),
    Column("text", String, comment="null unless SMS_ETL_PII=keep"),
    Column("text_units", Integer, comment="septets (GSM 03.38) or UTF-16 code units"),
    Column("text_parts", Integer, comment="parts as we count them; flags only, parts_count is billed"),
    Column("text_non_gsm", String, comment="the distinct characters outside GSM 03.38"),
    Column("text_template", String, comment="keyed hash of the text without digits and capitalised words"),
    Column("phone_range", String, comment="keyed hash of the number without its last three digits"),
    Column("extra", JSON, comment="fields the provider sent that are not known here"),
    Column("first_seen_at", DateTime, nullable=False),
    Column("last_seen_at", DateTime, nullable=False),
    Column("changed_at", DateTime, nullable=False, comment="when a change was last seen"),
    Column("gone_at", DateTime, comment="when the provider first answered that it is deleted"),
    schema="raw",
    comment="One row a message, newest state.",
)

sms_change = Table(
    "sms_change",
    metadata,
    Column("uuid", Uuid, nullable=False),
    Column("observed_at", DateTime, nullable=False),
    Column("observed_by", String, nullable=False, comment="poll, settle, webhook or reconcile"),
    Column("status_code", Integer),
    Column("dlr_code", Integer),
    Column("is_sent", Boolean),
    Column("gateway_sent_at", DateTime),
    Column("price", Money),
    Column("currency", String, nullable=False),
    Column("is_text_deleted", Boolean),
    schema="raw",
    comment="One row per observed change of a message, its first sighting included.",
)

bulk = Table(
    "bulk",
    metadata,
    Column("uuid", Uuid, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("delivery_at", DateTime, comment="scheduled for; null: at once"),
    Column("processed_at", DateTime, comment="the provider's time of the last change"),
    Column("status_code", Integer),
    Column("msg_total_count", BigInteger),
    Column("msg_total_cost", Money, comment="cost of the messages processed so far"),
    Column("currency", String, nullable=False),
    Column("service_code", String),
    Column("voice_lang", String),
    Column("key_id", BigInteger),
    Column("source", BigInteger, comment="the provider gives no bounds"),
    Column("ip", String),
    Column("is_unicode", Boolean),
    Column("is_dryrun", Boolean),
    Column("is_text_deleted", Boolean),
    Column("extra", JSON),
    Column("first_seen_at", DateTime, nullable=False),
    Column("last_seen_at", DateTime, nullable=False),
    Column("changed_at", DateTime, nullable=False),
    Column("gone_at", DateTime),
    schema="raw",
    comment="One row a bulk, newest state.",
)

account = Table(
    "account",
    metadata,
    Column("account_id", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("base_url", String, nullable=False),
    Column("first_seen_at", DateTime, nullable=False),
    Column("is_sandbox", Boolean, comment="a sandbox serves it: a demo may replace only those"),
    schema="ops",
    comment="The one account whose messages this warehouse holds.",
)

sync_run = Table(
    "sync_run",
    metadata,
    Column("run_id", Uuid, nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime, comment="null while it runs, or if it was killed"),
    Column("stopped_reason", String, comment="done, or the name of the error that ended it"),
    Column("error", String),
    Column("version", String, nullable=False),
    Column("watermark_before", DateTime),
    Column("watermark_after", DateTime),
    Column("windows", Integer),
    Column("pages", Integer),
    Column("requests", Integer),
    Column("retries", Integer),
    Column("rows_seen", BigInteger),
    Column("rows_new", BigInteger),
    Column("rows_changed", BigInteger),
    Column("rows_gone", BigInteger),
    Column("rows_quarantined", BigInteger),
    Column("rows_late", BigInteger, comment="new rows created before the watermark"),
    Column("settled_by_uuid", BigInteger, comment="open messages asked for by uuid"),
    Column("settled_by_window", BigInteger, comment="spans of open messages read again"),
    Column("seconds", Double),
    Column("purpose", String, comment="of the run: forward, backfill, reconcile or replay"),
    Column("rows_pruned", BigInteger, comment="rows gone as the provider pruned its history"),
    Column("prices_rounded", BigInteger, comment="prices with binary noise, rounded to six decimals"),
    Column("differences", BigInteger, comment="spans that a reconciliation found to differ"),
    Column("bulks_differing", BigInteger, comment="bulks that do not add up; null: not compared"),
    Column("bulks_error", String, comment="why bulks could not be read, if that did not stop the messages"),
    Column("unknown_fields", JSON, comment="fields seen for the first time, as a JSON list"),
    schema="ops",
    comment="One row a sync.",
)

fetch_window = Table(
    "fetch_window",
    metadata,
    Column("window_id", Uuid, nullable=False),
    Column("run_id", Uuid, nullable=False, comment="the run that fetched it"),
    Column("stream", String, nullable=False),
    Column("observed_by", String, nullable=False),
    Column("since_at", DateTime, comment="first second of the window; null: asked by uuid"),
    Column("until_at", DateTime, comment="last second of the window, inclusive"),
    Column("rows", BigInteger, nullable=False),
    Column("rows_quarantined", BigInteger, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, comment="how often it was read until it held still"),
    Column("landed", String, nullable=False, comment="file name below the landing folder"),
    Column("fetched_at", DateTime, nullable=False),
    Column("loaded_at", DateTime, nullable=False),
    Column("purpose", String, comment="why it was read: forward, backfill, replay, settle or reconcile"),
    schema="ops",
    comment="One row a loaded window.",
)

request = Table(
    "request",
    metadata,
    Column("run_id", Uuid, nullable=False),
    Column("requested_at", DateTime, nullable=False),
    Column("method", String, nullable=False),
    Column("path", String, nullable=False, comment="without its query"),
    Column("window_id", Uuid),
    Column("page", Integer),
    Column("status", Integer, comment="null: no answer came"),
    Column("retry", Integer, nullable=False, comment="0 for the first try"),
    Column("ms", Integer, nullable=False),
    Column("request_id", String, comment="X-LOX24-REQUEST-ID"),
    schema="ops",
    comment="One row a request; never a header, token or body.",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", Uuid, nullable=False),
    Column("run_id", Uuid, nullable=False),
    Column("window_id", Uuid),
    Column("stream", String, nullable=False),
    Column("quarantined_at", DateTime, nullable=False),
    Column("reason", String, nullable=False),
    Column("uuid", String, comment="where readable"),
    Column("price", String, comment="as the provider wrote it, where readable"),
    Column("currency", String),
    Column("raw", String, comment="the row's JSON; phone and text redacted under pseudonymise"),
    Column("replayed_at", DateTime, comment="when the row was loaded after all"),
    Column("created_at", DateTime, comment="of the row, where readable"),
    Column("accepted_at", DateTime, comment="when somebody accepted that it will never be right"),
    Column("accepted_reason", String),
    schema="ops",
    comment="One row a row that could not be loaded; open while neither replayed nor accepted.",
)

watermark = Table(
    "watermark",
    metadata,
    Column("stream", String, nullable=False),
    Column("watermark_at", DateTime, nullable=False, comment="all up to here was read"),
    Column("run_id", Uuid, nullable=False),
    Column("updated_at", DateTime, nullable=False),
    Column("read_at", DateTime, comment="when the provider was asked for the newest row"),
    schema="ops",
    comment="One row a stream.",
)

late_row = Table(
    "late_row",
    metadata,
    Column("uuid", Uuid, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("watermark_at", DateTime, nullable=False, comment="all up to here had been read without it"),
    Column("observed_by", String, nullable=False, comment="poll: within the overlap; reconcile: beyond it"),
    Column("first_seen_at", DateTime, nullable=False),
    Column("purpose", String, comment="of the window; only forward and reconcile teach lateness"),
    schema="ops",
    comment="One row a message that became visible after its time had been read.",
)

unknown_field = Table(
    "unknown_field",
    metadata,
    Column("stream", String, nullable=False),
    Column("field", String, nullable=False),
    Column("first_seen_at", DateTime, nullable=False),
    schema="ops",
    comment="One row a field the provider sent that is not known here; its values are in `extra`.",
)

provider_fact = Table(
    "provider_fact",
    metadata,
    Column("fact", String, nullable=False, comment="what was probed"),
    Column("value", String, nullable=False, comment="what was found"),
    Column(
        "is_as_assumed", Boolean, nullable=False, comment="false: a slower way is taken, or the sync refuses"
    ),
    Column("explanation", String, nullable=False, comment="what it means for a sync, as a sentence"),
    Column("observed_at", DateTime, nullable=False),
    schema="ops",
    comment="One row an assumption about the provider that was probed, with what was found last.",
)

publication = Table(
    "publication",
    metadata,
    Column("published_at", DateTime, nullable=False),
    Column("is_forced", Boolean, nullable=False, comment="a blocking check had failed"),
    Column("forced_reason", String, comment="why; null unless forced"),
    Column(
        "failed_tests", JSON, nullable=False, comment="the blocking checks that had failed, as a JSON list"
    ),
    schema="ops",
    comment="One row a published copy, the newest last.",
)

build_context = Table(
    "build_context",
    metadata,
    Column("as_of_at", DateTime, nullable=False, comment="the moment the models were built for"),
    Column("timezone", String, nullable=False, comment="of business days and months"),
    Column("settle_days", Integer, nullable=False),
    Column("built_at", DateTime, nullable=False),
    Column("project_digest", String, comment="of the files of models and seeds that were built"),
    Column("is_current", Boolean, comment="nothing was loaded since, and no blocking check failed"),
    schema="ops",
    comment="One row: what the models are built with, so that they are plain SQL.",
)

model_test = Table(
    "model_test",
    metadata,
    Column("tested_at", DateTime, nullable=False),
    Column("model", String, nullable=False),
    Column("test", String, nullable=False),
    Column("severity", String, nullable=False, comment="error (blocks publishing) or warn"),
    Column("failures", BigInteger, nullable=False),
    schema="ops",
    comment="One row a test, of the last build.",
)

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, nullable=False),
    Column("migrated_at", DateTime, nullable=False),
    schema="ops",
    comment="One row a version this file went through; the highest is its own.",
)
