"""The tables of the warehouse that are not built by a SQL model: `raw.*`, `ops.*` and `finance.*`.

Times are UTC without a zone; money is DECIMAL(18,6) and always beside a currency. No table has a primary
key: DuckDB's index would double the file and slow the merge fivefold; a test holds each grain unique.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    SmallInteger,
    String,
    Table,
    Uuid,
)

from sms_etl.warehouse.build_tables import (
    build_context,
    built_relation,
    failed_test_rows,
    model_day,
    model_state,
    model_test,
    source_state,
)
from sms_etl.warehouse.closing_tables import closed_line, closed_period, correction
from sms_etl.warehouse.event_tables import delivery_event
from sms_etl.warehouse.metadata import Money, metadata
from sms_etl.warehouse.retention_tables import deletion, hold, retention_item, retention_plan

__all__ = [
    "build_context",
    "built_relation",
    "closed_line",
    "closed_period",
    "correction",
    "deletion",
    "delivery_event",
    "failed_test_rows",
    "hold",
    "metadata",
    "model_day",
    "model_state",
    "model_test",
    "retention_item",
    "retention_plan",
    "source_state",
]
_EXTRA = "fields not known here: types and lengths under pseudonymise; cut_bytes: beyond 16 KB a row"

sms = Table(
    "sms",
    metadata,
    Column("uuid", Uuid, nullable=False, comment="the provider's key"),
    Column("created_at", DateTime, nullable=False, comment="accepted by the provider"),
    Column("delivery_at", DateTime, comment="scheduled for; null: at once"),
    Column("gateway_sent_at", DateTime, comment="null until sent"),
    Column("status_code", Integer, comment="the provider's status code"),
    Column("dlr_code", Integer, comment="the provider's delivery report code"),
    Column("is_sent", Boolean, comment="handed to the operator"),
    Column("is_unicode", Boolean, comment="sent as UCS-2"),
    Column("is_text_deleted", Boolean, comment="the provider no longer keeps its text"),
    Column("iso2", String, comment="country, ISO 3166-1 alpha-2"),
    Column("parts_count", Integer, comment="what is billed"),
    Column("chars_count", Integer, comment="characters"),
    Column(
        "price", Money, comment="whole message, all parts, net of VAT; never negative: see ops.quarantine"
    ),
    Column("currency", String, nullable=False, comment="the account's, from GET /me"),
    Column("service_code", String, comment="the provider's service"),
    Column("voice_lang", String, comment="voice only"),
    Column("sender_id", String, comment="name it was sent from, or number, masked and marked by its hash"),
    Column("callback_data", String, comment="what the sender passed along for its own use; hashed"),
    Column("bulk_id", Uuid, comment="bulk it belongs to"),
    Column("key_id", BigInteger, comment="API key that sent it"),
    Column("source", BigInteger, comment="the provider gives no bounds"),
    Column("ip", String, comment="network of the address it was sent from"),
    Column("attempts_count_max", SmallInteger, comment="voice only"),
    Column("phone_hash", String, comment="HMAC-SHA-256 of the number, 32 hex digits"),
    Column("phone_masked", String, comment="country code and last two digits"),
    Column("phone", String, comment="null unless SMS_ETL_PII=keep"),
    Column("text", String, comment="null unless SMS_ETL_PII=keep"),
    Column("text_units", Integer, comment="septets (GSM 03.38) or UTF-16 code units"),
    Column("text_parts", Integer, comment="parts as we count them; flags only, parts_count is billed"),
    Column("text_non_gsm", String, comment="JSON: characters outside GSM 03.38 by sign or class"),
    Column("text_template", String, comment="keyed hash of the text without digits and capitalised words"),
    Column("phone_range", String, comment="keyed hash of the number without its last three digits"),
    Column("extra", JSON, comment=_EXTRA),
    Column("first_seen_at", DateTime, nullable=False, comment="when it was first seen"),
    Column("last_seen_at", DateTime, nullable=False, comment="when it was last seen"),
    Column("changed_at", DateTime, nullable=False, comment="when a change was last seen"),
    Column("gone_at", DateTime, comment="when the provider first answered that it is deleted"),
    Column("delivered_at", DateTime, comment="of a delivery event; null: none said so"),
    schema="raw",
    comment="One row a message, newest state.",
)

sms_change = Table(
    "sms_change",
    metadata,
    Column("uuid", Uuid, nullable=False, comment="of the message"),
    Column("observed_at", DateTime, nullable=False, comment="when the change was seen"),
    Column("observed_by", String, nullable=False, comment="poll, settle, webhook or reconcile"),
    Column("status_code", Integer, comment="the provider's status code then"),
    Column("dlr_code", Integer, comment="the provider's delivery report code then"),
    Column("is_sent", Boolean, comment="handed to the operator by then"),
    Column("gateway_sent_at", DateTime, comment="null until sent"),
    Column("price", Money, comment="whole message, all parts, net of VAT, as known then"),
    Column("currency", String, nullable=False, comment="of `price`"),
    Column("is_text_deleted", Boolean, comment="the provider no longer kept its text"),
    schema="raw",
    comment="One row per observed change of a message, its first sighting included.",
)

bulk = Table(
    "bulk",
    metadata,
    Column("uuid", Uuid, nullable=False, comment="the provider's key"),
    Column("created_at", DateTime, nullable=False, comment="accepted by the provider"),
    Column("delivery_at", DateTime, comment="scheduled for; null: at once"),
    Column("processed_at", DateTime, comment="the provider's time of the last change"),
    Column("status_code", Integer, comment="the provider's status code"),
    Column("msg_total_count", BigInteger, comment="messages, as the provider counts them"),
    Column("msg_total_cost", Money, comment="cost of the messages processed so far; never negative"),
    Column("currency", String, nullable=False, comment="the account's, from GET /me"),
    Column("service_code", String, comment="the provider's service"),
    Column("voice_lang", String, comment="voice only"),
    Column("key_id", BigInteger, comment="API key that sent it"),
    Column("source", BigInteger, comment="the provider gives no bounds"),
    Column("ip", String, comment="network of the address it was sent from"),
    Column("is_unicode", Boolean, comment="sent as UCS-2"),
    Column("is_dryrun", Boolean, comment="a rehearsal that sends nothing"),
    Column("is_text_deleted", Boolean, comment="the provider no longer keeps its text"),
    Column("extra", JSON, comment=_EXTRA),
    Column("first_seen_at", DateTime, nullable=False, comment="when it was first seen"),
    Column("last_seen_at", DateTime, nullable=False, comment="when it was last seen"),
    Column("changed_at", DateTime, nullable=False, comment="when a change was last seen"),
    Column("gone_at", DateTime, comment="when the provider first answered that it is deleted"),
    schema="raw",
    comment="One row a bulk, newest state.",
)

account = Table(
    "account",
    metadata,
    Column("account_id", String, nullable=False, comment="the provider's number of the account"),
    Column("currency", String, nullable=False, comment="of all amounts, from GET /me"),
    Column("base_url", String, nullable=False, comment="address it was first read from"),
    Column("first_seen_at", DateTime, nullable=False, comment="when it was first read"),
    Column("is_sandbox", Boolean, comment="a sandbox serves it: a demo may replace only those"),
    schema="ops",
    comment="The one account whose messages this warehouse holds.",
)

sync_run = Table(
    "sync_run",
    metadata,
    Column("run_id", Uuid, nullable=False, comment="key of the run"),
    Column("started_at", DateTime, nullable=False, comment="when it began"),
    Column("finished_at", DateTime, comment="null while it runs, or if it was killed"),
    Column("stopped_reason", String, comment="done, or the name of the error that ended it"),
    Column("error", String, comment="what the error said, if one ended it"),
    Column("version", String, nullable=False, comment="of sms_etl"),
    Column("watermark_before", DateTime, comment="all up to here had been read before"),
    Column("watermark_after", DateTime, comment="all up to here was read after it"),
    Column("windows", Integer, comment="windows loaded"),
    Column("pages", Integer, comment="pages read"),
    Column("requests", Integer, comment="requests sent, repeated ones too"),
    Column("retries", Integer, comment="requests that were repeated"),
    Column("rows_seen", BigInteger, comment="rows the provider sent"),
    Column("rows_new", BigInteger, comment="messages seen for the first time"),
    Column("rows_changed", BigInteger, comment="messages that had changed"),
    Column("rows_gone", BigInteger, comment="messages found deleted at the provider"),
    Column("rows_quarantined", BigInteger, comment="rows that could not be loaded"),
    Column("files_quarantined", BigInteger, comment="landed files that could not be loaded"),
    Column("rows_late", BigInteger, comment="new rows created before the watermark"),
    Column("settled_by_uuid", BigInteger, comment="open messages asked for by uuid"),
    Column("settled_by_window", BigInteger, comment="spans of open messages read again"),
    Column("seconds", Double, comment="how long it took"),
    Column("purpose", String, comment="of the run: forward, backfill, reconcile or replay"),
    Column("rows_pruned", BigInteger, comment="rows gone as the provider pruned its history"),
    Column("prices_rounded", BigInteger, comment="prices with binary noise, rounded to six decimals"),
    Column("quarantine_open", BigInteger, comment="rows and files that waited in quarantine at its end"),
    Column("quarantine_files", BigInteger, comment="landed files among them"),
    Column("differences", BigInteger, comment="spans that a reconciliation found to differ"),
    Column("bulks_differing", BigInteger, comment="bulks that do not add up; null: not compared"),
    Column("bulks_error", String, comment="why bulks could not be read, if that did not stop the messages"),
    Column("unknown_fields", JSON, comment="fields seen for the first time, as a JSON list"),
    Column("events_read", BigInteger, comment="delivery events seen for the first time"),
    Column("events_changed", BigInteger, comment="messages whose state a delivery event changed"),
    Column("events_damaged", BigInteger, comment="lines of delivery events that could not be read"),
    schema="ops",
    comment="One row a sync.",
)

fetch_window = Table(
    "fetch_window",
    metadata,
    Column("window_id", Uuid, nullable=False, comment="key of the window"),
    Column("run_id", Uuid, nullable=False, comment="the run that fetched it"),
    Column("stream", String, nullable=False, comment="sms or bulks"),
    Column("observed_by", String, nullable=False, comment="poll, settle, webhook or reconcile"),
    Column("since_at", DateTime, comment="first second of the window; null: asked by uuid"),
    Column("until_at", DateTime, comment="last second of the window, inclusive"),
    Column("rows", BigInteger, nullable=False, comment="rows loaded"),
    Column("rows_quarantined", BigInteger, nullable=False, comment="rows that could not be loaded"),
    Column("pages", Integer, nullable=False, comment="pages the listing had"),
    Column(
        "attempts",
        Integer,
        nullable=False,
        comment="how often it was read; more than once if it changed while being read",
    ),
    Column("landed", String, nullable=False, comment="file name below the landing folder"),
    Column("fetched_at", DateTime, nullable=False, comment="when it was fetched"),
    Column("loaded_at", DateTime, nullable=False, comment="when it was loaded"),
    Column("purpose", String, comment="why it was read: forward, backfill, replay, settle or reconcile"),
    schema="ops",
    comment="One row a loaded window.",
)

request = Table(
    "request",
    metadata,
    Column("run_id", Uuid, nullable=False, comment="the sync that asked, or the campaign"),
    Column("requested_at", DateTime, nullable=False, comment="when it was sent"),
    Column("method", String, nullable=False, comment="GET, or another of HTTP"),
    Column("path", String, nullable=False, comment="without its query"),
    Column("window_id", Uuid, comment="the window it was for, if any"),
    Column("page", Integer, comment="of a listing, from 1"),
    Column("status", Integer, comment="null: no answer came"),
    Column("retry", Integer, nullable=False, comment="0 for the first try"),
    Column("ms", Integer, nullable=False, comment="milliseconds until the whole answer was there"),
    Column("request_id", String, comment="X-LOX24-REQUEST-ID"),
    schema="ops",
    comment="One row a request; never a header, token or body.",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", Uuid, nullable=False, comment="key of the row here"),
    Column("run_id", Uuid, nullable=False, comment="the sync that read it"),
    Column("window_id", Uuid, comment="the window it was in"),
    Column("stream", String, nullable=False, comment="sms or bulks"),
    Column("quarantined_at", DateTime, nullable=False, comment="when it was read"),
    Column("reason", String, nullable=False, comment="why it could not be loaded"),
    Column("uuid", String, comment="where readable"),
    Column("price", String, comment="as the provider wrote it, where it is like an amount"),
    Column("currency", String, comment="of `price`"),
    Column("raw", String, comment="the row's JSON; of what may be personal types and lengths only"),
    Column(
        "replayed_at",
        DateTime,
        comment="when it was loaded after all; without a uuid: when its seconds were read again without it",
    ),
    Column("created_at", DateTime, comment="of the row, where readable"),
    Column("accepted_at", DateTime, comment="when somebody accepted that it will never be right"),
    Column("accepted_reason", String, comment="why, in the words of whoever accepted it"),
    Column("kind", String, server_default="row", comment="row; file: a landed file as a whole"),
    Column("landed", String, comment="of a file: its name below the stream's landing folder"),
    Column("since_at", DateTime, comment="of a file: first second it holds, where that is known"),
    Column("until_at", DateTime, comment="of a file: last second it holds, inclusive"),
    schema="ops",
    comment="One row a row or file that could not be loaded; open while neither replayed nor accepted.",
)

watermark = Table(
    "watermark",
    metadata,
    Column("stream", String, nullable=False, comment="sms or bulks"),
    Column("watermark_at", DateTime, nullable=False, comment="all up to here was read"),
    Column("run_id", Uuid, nullable=False, comment="the sync that moved it last"),
    Column("updated_at", DateTime, nullable=False, comment="when it was moved last"),
    Column("read_at", DateTime, comment="when the provider was asked for the newest row"),
    schema="ops",
    comment="One row a stream.",
)

late_row = Table(
    "late_row",
    metadata,
    Column("uuid", Uuid, nullable=False, comment="of the message"),
    Column("created_at", DateTime, nullable=False, comment="of the message"),
    Column("watermark_at", DateTime, nullable=False, comment="all up to here had been read without it"),
    Column("observed_by", String, nullable=False, comment="poll: within the overlap; reconcile: beyond it"),
    Column("first_seen_at", DateTime, nullable=False, comment="when it was first seen"),
    Column("purpose", String, comment="of the window; only forward and reconcile teach lateness"),
    schema="ops",
    comment="One row a new message created before the watermark: visible late, or brought by a backfill.",
)

unknown_field = Table(
    "unknown_field",
    metadata,
    Column("stream", String, nullable=False, comment="sms or bulks"),
    Column("field", String, nullable=False, comment="its name"),
    Column("first_seen_at", DateTime, nullable=False, comment="when it was first sent"),
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
    Column("observed_at", DateTime, nullable=False, comment="when it was probed last"),
    schema="ops",
    comment="One row an assumption about the provider that was probed, with what was found last.",
)

publication = Table(
    "publication",
    metadata,
    Column(
        "published_at", DateTime, nullable=False, comment="when the copy was made, by the machine's clock"
    ),
    Column(
        "contents", String, nullable=False, comment="marts: what analysts read; all: a copy of the whole file"
    ),
    Column("is_forced", Boolean, nullable=False, comment="a blocking check had failed"),
    Column("forced_reason", String, comment="why; null unless forced"),
    Column(
        "failed_tests", JSON, nullable=False, comment="the blocking checks that had failed, as a JSON list"
    ),
    schema="ops",
    comment="One row a published copy, the newest last.",
)

pii = Table(
    "pii",
    metadata,
    Column("policy", String, nullable=False, comment="keep: numbers and texts may be here; or pseudonymise"),
    Column("key_fingerprint", String, comment="of the key that made the hashes; does not give it away"),
    Column("since_at", DateTime, nullable=False, comment="when it came to be so"),
    schema="ops",
    comment="One row: the policy of personal data that all rows are under, and the key of the hashes.",
)

pii_receipt = Table(
    "pii_receipt",
    metadata,
    Column("receipt_id", Uuid, nullable=False, comment="key of the receipt"),
    Column(
        "kind",
        String,
        nullable=False,
        comment="policy: what was kept was blanked; key: another one; rotation",
    ),
    Column("started_at", DateTime, nullable=False, comment="when it was begun"),
    Column("finished_at", DateTime, comment="null: interrupted; to run it again completes it"),
    Column("messages", BigInteger, comment="rows of raw.sms whose number or text was blanked"),
    Column("quarantined", BigInteger, comment="rows in quarantine that were redacted"),
    Column("files", BigInteger, comment="landed files that were written again without"),
    Column("reason", String, comment="why another key was accepted, in the words of whoever did"),
    schema="ops",
    comment="One row a change of policy or key that was carried out on what is stored.",
)

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, nullable=False, comment="of the tables, counted from 1"),
    Column("migrated_at", DateTime, nullable=False, comment="when the file was brought to it"),
    schema="ops",
    comment="One row a version this file went through; the highest is its own.",
)

campaign = Table(
    "campaign",
    metadata,
    Column("campaign_id", Uuid, nullable=False, comment="key of the row here"),
    Column(
        "key",
        String,
        nullable=False,
        comment="what makes a repeated command the same campaign: --key, or digits of `digest`",
    ),
    Column(
        "digest",
        String,
        nullable=False,
        comment="keyed hash of sender, text, recipients, service and time; none can be read from it",
    ),
    Column("state", String, nullable=False, comment="intended, sent, refused or cancelled"),
    Column("bulk_id", Uuid, comment="the provider's key; null until it is known"),
    Column("sender_id", String, comment="name it was sent from, or number, masked as in raw.sms"),
    Column("service_code", String, nullable=False, comment="the provider's service"),
    Column("encoding", String, nullable=False, comment="gsm7 or ucs2"),
    Column("scheduled_at", DateTime, comment="when it is to be sent; null: at once"),
    Column("business_month", Date, nullable=False, comment="first day of the month it is sent in"),
    Column("recipients", BigInteger, nullable=False, comment="numbers it is sent to"),
    Column("recipients_digest", String, nullable=False, comment="keyed hash of these numbers together"),
    Column("invalid", BigInteger, nullable=False, comment="rows left out: no number in them"),
    Column("duplicates", BigInteger, nullable=False, comment="rows left out: their number was there before"),
    Column("opted_out", BigInteger, nullable=False, comment="numbers left out: they opted out"),
    Column("parts", BigInteger, nullable=False, comment="of all messages, as planned"),
    Column("cost_planned", Money, comment="net of VAT, before it was sent; null: no price was known"),
    Column("currency", String, nullable=False, comment="of `cost_planned`"),
    Column("cost_centre", String, nullable=False, comment="whose budget was looked at"),
    Column("over_budget_reason", String, comment="why it was sent over budget; null: it was within"),
    Column("attempts", Integer, nullable=False, comment="how often the provider was asked to send it"),
    Column("intended_at", DateTime, nullable=False, comment="when it was to be sent; no bulk of it is older"),
    Column("asked_at", DateTime, nullable=False, comment="when the provider was last asked to send it"),
    Column("known_at", DateTime, comment="when it was known what became of it; null: it is not"),
    Column(
        "known_by", String, comment="answer, search (found among the provider's bulks) or person (resolved)"
    ),
    Column("cancelled_at", DateTime, comment="when the provider was asked to cancel it"),
    Column("version", String, nullable=False, comment="of sms_etl"),
    schema="ops",
    comment="One row a campaign that was sent from here, written before the provider is asked. Rows change.",
)
