"""Tries a provider's request again where that can help: how often, how long apart, after which errors."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from sms_etl.errors import BadAnswer, ProviderError, Throttled, Unavailable, Unreachable

_log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]

_MAX_RETRY_AFTER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long apart a failed request is tried again."""

    attempts: int = 6
    """First try included; more rides out longer outages, and makes a wrong address fail later."""
    first_wait: float = 0.5
    """Seconds; doubled each time."""
    longest_wait: float = 30.0
    """Seconds."""


def may_be_retried(error: BaseException) -> bool:
    """Return whether a request that changes nothing is worth another try."""
    return isinstance(error, (Throttled, Unavailable, Unreachable, BadAnswer))


def tries(
    policy: RetryPolicy,
    retried: Callable[[BaseException], bool],
    *,
    sleep: Sleep,
    jitter: Callable[[], float],
) -> AsyncRetrying:
    """Return the tries of one request, of which the last raises its error as it is.

    Args:
        policy: How many, and how long apart.
        retried: Whether an error is worth another try.
        sleep: Waits between them.
        jitter: Gives a number in [0, 1) that spreads the waits.
    """

    def wait(state: RetryCallState) -> float:
        """Double the wait each time, with full jitter in its upper half; obey Retry-After."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ProviderError) and error.retry_after is not None:
            return min(error.retry_after, _MAX_RETRY_AFTER_SECONDS)
        longest = min(policy.first_wait * 2 ** (state.attempt_number - 1), policy.longest_wait)
        return float(longest * (0.5 + jitter() / 2))

    return AsyncRetrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait,
        retry=retry_if_exception(retried),
        sleep=sleep,
        before_sleep=_say_that_it_waits,
        reraise=True,
    )


def _say_that_it_waits(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ProviderError):
        _log.warning(
            "%s Trying again in %.1f s, for the %d. time.",
            error.message,
            state.upcoming_sleep,
            state.attempt_number,
        )
