"""The switches: each thing the providers' documentation leaves open, by name, with its default.

A default is what a careful client must be able to live with. Pure; nothing here does anything.
"""

from dataclasses import asdict, dataclass, fields
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

    unknown_parameters: Literal["reject", "ignore"] = "reject"
    """`reject` answers 400, so that a misspelt filter shows; `ignore` takes it as no filter."""

    empty_value_is_no_filter: bool = True
    """`text=` filters nothing; otherwise it is answered with 400."""

    unfiltered_batch: Literal["everything", "nothing", "reject"] = "everything"
    """What batch_delete and batch_cancel do without a filter; `reject` answers 422."""

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

    is_activated: bool = True
    """Otherwise every request with a right token is answered with 403."""

    has_funds: bool = True
    """Otherwise creating a bulk is answered with 402."""

    bulk_messages_per_second: Positive = 200
    """How fast a created bulk turns into messages."""

    webhook_retry_seconds: tuple[NotNegative, NotNegative, NotNegative] = (60, 600, 3600)
    """When the second to fourth attempt of an event are due, counted from the event."""

    twosms_may_delete: bool = True
    """Whether the 2SMS account has the feature behind `Delete: true`."""


def switches_from(values: dict[str, Any], *, base: SandboxSwitches | None = None) -> SandboxSwitches:
    """Give `base` with some switches set.

    Args:
        values: JSON values by the switch's name.
        base: What the others stay at; the defaults unless given.

    Raises:
        ValueError: An unknown name, or a value out of bounds; the message names it.
    """
    unknown = sorted(set(values) - {field.name for field in fields(SandboxSwitches)})
    if unknown:
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    try:
        return msgspec.convert({**asdict(base or SandboxSwitches()), **values}, SandboxSwitches)
    except msgspec.ValidationError as exc:
        raise ValueError(str(exc)) from None
