"""Why a message or a file is left out of a deletion, by name, and in words for people."""

from enum import StrEnum


class Reason(StrEnum):
    """Why something is left out; in the order in which they are looked for."""

    ON_HOLD = "on_hold"
    IN_QUARANTINE = "in_quarantine"
    NOT_LANDED = "not_landed"
    NOT_SETTLED = "not_settled"
    NOT_PRICED = "not_priced"
    MONTH_NOT_CLOSED = "month_not_closed"
    WITHIN_DISPUTE_PERIOD = "within_dispute_period"
    NOT_STORED = "not_stored"
    GONE_ALREADY = "gone_already"
    DIFFERS = "differs_at_provider"
    STILL_THERE = "still_there"
    NOT_REMOVED = "not_removed"
    NOT_LOADED = "not_loaded"
    HAS_BAD_ROWS = "has_bad_rows"
    HOLDS_OTHERS = "holds_others"


WORDS = {
    Reason.ON_HOLD: "on hold (`sms-etl retention hold list`)",
    Reason.IN_QUARANTINE: "a newer row of it waits in quarantine (`sms-etl quarantine list`)",
    Reason.NOT_LANDED: "its newest state lies in no landed file (`sms-etl sync --since …` lands it anew)",
    Reason.NOT_SETTLED: "it may still change",
    Reason.NOT_PRICED: "it has no price or no count of parts yet",
    Reason.MONTH_NOT_CLOSED: "its month is not closed, which the rule requires (`sms-etl close`)",
    Reason.WITHIN_DISPUTE_PERIOD: "its month is not closed, and it is younger than dispute_days",
    Reason.NOT_STORED: "it is not in the warehouse",
    Reason.GONE_ALREADY: "the provider has it no more",
    Reason.DIFFERS: "the provider has it otherwise than it is stored (`sms-etl sync --since …` reads it)",
    Reason.STILL_THERE: "the provider said it was deleted, and it is still there",
    Reason.NOT_REMOVED: "the file could not be removed",
    Reason.NOT_LOADED: "the file was not loaded (`sms-etl sync` loads it)",
    Reason.HAS_BAD_ROWS: "a row of the file waits in quarantine (`sms-etl quarantine list`)",
    Reason.HOLDS_OTHERS: "the file also has messages that the rule does not hit, such as younger ones",
}
EXPECTED = frozenset({Reason.ON_HOLD, Reason.GONE_ALREADY})
"""What needs no attention when a plan is applied."""
