"""The switches: each thing the providers' documentation leaves open, by name, with its default.

A default is what a careful client must be able to live with. Pure; nothing here does anything.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class SandboxSwitches:
    """How this sandbox behaves where the documentation is silent."""

    page_size: Positive = 30
    """Rows a page; the provider does not say how many, so nothing may rely on one."""

    default_order: Literal["asc", "desc"] = "desc"
    """By `created_at` when no order is sent: the prose says newest first, the reference says asc."""

    shuffle_ties: bool = False
    """Order rows of the same second differently on each page; otherwise ties keep a hidden order."""

    shuffle_each_request: bool = False
    """With `shuffle_ties`: another order at each request, for the same page too."""

    order: Literal["obeyed", "ignored"] = "obeyed"
    """`ignored` takes `_order[…]` and lists in the default order."""

    bounds: Literal["inclusive", "exclusive"] = "inclusive"
    """`exclusive` takes `[gte]` and `[lte]` as `[gt]` and `[lt]`."""

    totals: Literal["exact", "missing"] = "exact"
    """`missing` leaves out `hydra:totalItems` and `hydra:last`: only `hydra:member` is a required member."""

    total_cap: NotNegative = 0
    """The highest number a total shows, however many rows there are; 0: none."""

    hydra_prefix: bool = True
    """Otherwise a listing's keys are `member`, `totalItems` and `view`."""

    type_name: Literal["Sms", "sms"] = "Sms"
    """`@type` of a message."""

    sms_uuid_filter: Literal["obeyed", "ignored", "rejected"] = "obeyed"
    """What `GET /sms` does with `uuid` and `uuid[]`; `rejected` answers 400."""

    batch_uuid_filter: Literal["obeyed", "ignored", "rejected"] = "obeyed"
    """The same for batch_delete and batch_cancel: with `ignored`, `uuid[]` alone is no filter."""

    bulks_uuid_filter: Literal["obeyed", "ignored", "rejected"] = "obeyed"
    """The same for `GET /bulks`, where some versions of the description do not have it."""

    are_bulks_forbidden: bool = False
    """Answer everything under `/bulks` with 403, as to a key that may not read them."""

    row_format: Literal["documented", "iso_times", "text_numbers", "text_integers", "int_booleans"] = (
        "documented"
    )
    """How messages are written: times as ISO text, prices or integers as text, or booleans as 0 and 1."""

    price_noise_every: NotNegative = 0
    """The price of every n-th message has the noise of a binary number: 0.21000000000000002; 0: none."""

    unknown_parameters: Literal["reject", "ignore"] = "reject"
    """`reject` answers 400, so that a misspelt filter shows; `ignore` takes it as no filter."""

    empty_value_is_no_filter: bool = True
    """`text=` filters nothing; otherwise it is answered with 400."""

    unfiltered_batch: Literal["everything", "nothing", "reject"] = "everything"
    """What batch_delete and batch_cancel do without a filter; `reject` answers 422."""

    writes: Literal["answered", "answer_lost", "not_carried_out"] = "answered"
    """What becomes of requests to LOX24 that change something: `answer_lost` carries them out and answers
    504, `not_carried_out` answers 500."""

    longest_url: Positive = 8192
    """Characters of path and query; a longer one is answered with 414."""

    requests_per_second: NotNegative = 0
    """More within one second of real time are answered with 429; 0: no limit."""

    rate_limit_retry_after: NotNegative = 0
    """Seconds in `Retry-After` of such a 429; 0: no such header."""

    latency_ms: NotNegative = 0
    """Real time each provider request takes longer."""

    visible_after_seconds: NotNegative = 0
    """How long after its `created_at` a late message becomes visible."""

    visible_late_every: Positive = 1
    """Every n-th message is late, so that with n > 1 an older one appears after a newer one."""

    keep_days: NotNegative = 0
    """Messages older than this are gone; 0: they are kept for good."""

    late_price_every: NotNegative = 0
    """The price of every n-th message changes after it was sent; 0: none ever does."""

    late_price_after_seconds: NotNegative = 86_400
    """How long after it was sent such a price changes, by +0.001."""

    price_null_until_sent: bool = False
    """Show null, against the field table, as the price of a message that is not sent yet."""

    currency: Literal["EUR", "CHF"] = "EUR"
    """The account's; the figures stay the same."""

    account_country: Literal["DE", "AT", "CH"] = "DE"
    """Where the account is registered: a bulk's national numbers (`0170…`) are of there."""

    fraud: Literal["none", "night_pump", "sender_jump", "slow_pump"] = "none"
    """Abuse of the account: in the days before it begins or, set later, from the next midnight on."""

    is_activated: bool = True
    """Otherwise every request with a right token is answered with 403."""

    has_funds: bool = True
    """Otherwise creating a bulk is answered with 402."""

    bulk_messages_per_second: Positive = 200
    """How fast a created bulk turns into messages."""

    webhook_retry_seconds: tuple[NotNegative, NotNegative, NotNegative] = (60, 600, 3600)
    """When the second to fourth attempt of an event are due, counted from the event."""

    event_attempts_name: Literal["attempt_total", "attempts_total"] = "attempt_total"
    """What an event calls the number of its attempts; the descriptions differ."""

    twosms_may_delete: bool = True
    """Whether the 2SMS account has the feature behind `Delete: true`."""

    twosms_delete_without_feature: Literal["error", "ignored"] = "error"
    """What `Delete: true` does without the feature; `ignored` expires only and says nothing."""

    twosms_empty_is_no_criterion: bool = True
    """An empty or blank `Destination` counts as none; otherwise it is answered with an error."""

    twosms_destination: Literal["exact", "partial"] = "exact"
    """Whether `Destination` is a whole number or a part of one."""

    twosms_error_code: NotNegative = 0
    """Answer every call with this `ErrorCode` in a 200, and a reason that quotes it; 0: none."""


_NAMES = frozenset(field.name for field in fields(SandboxSwitches))


def switches_from_words(words: Iterable[str]) -> SandboxSwitches:
    """Read `name=value` words; a value is JSON, or a word as it is.

    Raises:
        ValueError: A word has no `=`, or see `switches_from`.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise ValueError(f"give {name}=VALUE")
        try:
            values[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            values[name] = value
    return switches_from(values)


def switches_from(values: dict[str, Any], *, base: SandboxSwitches | None = None) -> SandboxSwitches:
    """Return `base` with some switches set.

    Args:
        values: JSON values by the switch's name.
        base: What the others stay at; the defaults unless given.

    Raises:
        ValueError: An unknown name, or a value out of bounds; the message names it.
    """
    for name in sorted(set(values) - _NAMES):
        near = get_close_matches(name, sorted(_NAMES), n=1)
        raise ValueError(f"no such switch: {name}" + (f"; did you mean {near[0]}?" if near else ""))
    try:
        return msgspec.convert({**asdict(base or SandboxSwitches()), **values}, SandboxSwitches)
    except msgspec.ValidationError as exc:
        raise ValueError(str(exc)) from None
