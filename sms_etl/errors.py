"""Every error the package raises on purpose, each saying what to do next.

SmsEtlError                    exit 1
├── SettingsError              exit 2: a setting is missing or out of bounds
│   ├── WrongKey               another key made the warehouse's hashes, or it is gone
│   └── PolicyNotApplied       the warehouse holds what SMS_ETL_PII says is not to be kept
├── DataDirError               the data directory cannot be used
│   └── OutNotWritable         exit 2: the folder that --out names cannot be written
├── ProviderError              the provider answered with, or was reached with, an error
│   ├── Unauthorised           401: the token is wrong or inactive; asked once, stops everything
│   ├── AccountNotActive       403: the account or key may not do this
│   ├── NoFunds                402: not enough balance (sending only)
│   ├── BadRequest             400, 409, 422 and any other 4xx: our request is wrong
│   │   └── NotCancellable      a bulk has ended, or cannot be cancelled for another reason
│   ├── NotFound               404
│   ├── AuthBlocked            429 after wrong credentials: every request is refused for ten minutes
│   ├── Throttled              429: too many requests; retried
│   ├── Unavailable            5xx: retried
│   ├── Unreachable            no answer: name, connection, TLS, time-out; retried
│   │   └── NotSent             no connection came about: the provider never saw the request
│   ├── AnswerLost             something was to be changed, and whether it was is not known
│   ├── UnexpectedRedirect     3xx: not followed, the token must not reach another host
│   ├── BadAnswer              200, but not what the documentation describes
│   ├── RequestRefused         200, but the answer is an error (2SMS)
│   │   └── FeatureUnavailable  the account has no right to what was asked for
│   ├── FormatChanged          a hundred rows or more were read, and none of them is as documented
│   └── ProviderDiffers        it breaks an assumption without which nothing can be read completely
├── NotABulk                   exit 2: what is to be sent is not what LOX24 takes; names the row
├── SyncError
│   ├── AlreadyRunning         another sync works on the same data directory
│   ├── LandingLost            the process that writes landing files ended before its work
│   └── WindowUnstable         a window of messages changed each time it was read
├── WarehouseError
│   ├── WarehouseLocked        another program has it open for writing
│   ├── OutOfMemory            a statement needs more memory than it may take
│   ├── RowsRefused            a statement failed by what its rows hold
│   ├── WarehouseTooNew        written by a newer version of sms_etl
│   ├── NotAWarehouse          the file is something else
│   ├── NoWarehouse            nothing was loaded or published yet
│   ├── WrongAccount           it holds another account's messages
│   ├── NotInQuarantine        no row that waits there has the id, or several have
│   ├── CopyFailed             a copy of what is published, in PostgreSQL or Parquet, could not be made
│   └── QueryError             an analyst's SQL was refused
├── ChecksFailed               exit 3: publishing is refused, as the last build failed a blocking check
├── ModelError                 a SQL model cannot be read or built; names file and line
│   └── UnknownModel           exit 2: a selection names no model, or none that there is
├── ReportError
│   ├── NotAPeriod             exit 2: what was asked for is no period, or has not begun
│   ├── NoDataForPeriod        nothing was sent in the period
│   ├── UnknownFilter          exit 2: lines are to be chosen by a column that they do not have
│   ├── InvoiceUnreadable      exit 2: an invoice cannot be read; names the line
│   ├── ClosedMonthChanged     what was closed is not what its digest says
│   └── FocusInvalid           a FOCUS file would not be as the specification says, and is not written
├── CampaignError
│   ├── CampaignRefused        exit 2: what was asked for cannot be sent; nothing was sent
│   └── CampaignUnclear        exit 3: whether it was sent is not known; says how to find out
├── RetentionError
│   ├── PolicyInvalid          exit 2: the retention policy cannot be read; names the line
│   ├── NoSuchPlan             exit 2: no plan of retention or erasure has the id, or is of this number
│   ├── NotANumber             exit 2: what is to be erased is no phone number; names the line
│   ├── PlanRefused            exit 3: the plan expired, or what it was made of has changed since
│   ├── NoSuchHold             exit 2: no hold in force has the id
│   ├── LedgerBroken           exit 3: rows of the ledger of deletions were changed, or are missing
│   └── DeletionStopped        exit 3: the provider did not do what it was asked to do; nothing more is asked
├── AlertNotSent               an alert could be told to nobody by one of the ways that are set up
└── UiError                    Dagster could not be kept running
"""


class SmsEtlError(Exception):
    """An error a person can act on.

    Args:
        message: What happened. Never holds a token, a phone number or a message text.
        hint: What to do next, as a sentence; shown below the message.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class SettingsError(SmsEtlError):
    """A setting is missing or out of bounds."""

    exit_code = 2


class WrongKey(SettingsError):
    """The key is not the one that made the warehouse's hashes, or it is gone."""


class PolicyNotApplied(SettingsError):
    """The warehouse holds what the settings' policy of personal data says is not to be kept."""


class DataDirError(SmsEtlError):
    """The data directory cannot be created, read or written."""


class OutNotWritable(DataDirError):
    """The folder that `--out` names cannot be made or written: another one has to be named."""

    exit_code = 2


class ProviderError(SmsEtlError):
    """The provider answered with, or was reached with, an error.

    Args:
        message: What happened.
        hint: What to do next.
        status: HTTP status, or None if there was no answer.
        request_id: `X-LOX24-REQUEST-ID` of the answer; the provider's support asks for it.
        retry_after: Seconds the provider asked to wait, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{message} (request id {request_id})" if request_id else message, hint=hint)
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class Unauthorised(ProviderError):
    """401: the token is wrong or inactive."""


class AccountNotActive(ProviderError):
    """403: the account is not activated, or the key may not do this."""


class NoFunds(ProviderError):
    """402: not enough balance to send."""


class BadRequest(ProviderError):
    """400, 409, 422 and any other 4xx: the provider does not accept the request as it is."""


class NotCancellable(BadRequest):
    """A bulk cannot be cancelled any more: it was processed, or has ended in another way."""


class NotFound(ProviderError):
    """404: for a message, the only sign that it was deleted."""


class AuthBlocked(ProviderError):
    """429 after wrong credentials: every request from this address is refused for ten minutes."""


class Throttled(ProviderError):
    """429: too many requests."""


class Unavailable(ProviderError):
    """5xx: the provider is out of order for the moment."""


class Unreachable(ProviderError):
    """No answer came: name look-up, connection, TLS or a time-out."""


class NotSent(Unreachable):
    """No connection came about, so the provider never saw the request."""


class AnswerLost(ProviderError):
    """Something was to be changed at the provider, and whether it was is not known: the answer was lost.

    Its cause is the error of the last try. Look what is there before anything is done again: `read_messages`
    after a deletion or a cancellation, `find_bulk` after a bulk was to be created.

    Args:
        message: What happened.
        hint: What to do next.
        status: HTTP status of the last try, or None if it had no answer.
        request_id: Of the last try; the message has it already.
        retry_after: Seconds the provider asked to wait, if it did.
        attempts: How often the request was made.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        attempts: int = 1,
    ) -> None:
        super().__init__(message, hint=hint, status=status, retry_after=retry_after)
        self.request_id = request_id
        self.attempts = attempts


class UnexpectedRedirect(ProviderError):
    """3xx: not followed, since the token must not reach another host."""


class BadAnswer(ProviderError):
    """The answer says 200 but is not what the documentation describes."""


class RequestRefused(ProviderError):
    """200, but the answer is an error of the provider's own, such as `Error` of 2SMS.

    Args:
        message: What happened.
        hint: What to do next.
        status: HTTP status.
        code: The provider's number or name of the error; `unnamed` or `unreadable` if there is none.
        reason: The provider's words, without numbers.
    """

    def __init__(
        self, message: str, *, hint: str = "", status: int | None = None, code: str = "", reason: str = ""
    ) -> None:
        super().__init__(message, hint=hint, status=status)
        self.code = code
        self.reason = reason


class FeatureUnavailable(RequestRefused):
    """The account lacks a feature that was asked for; without it, 2SMS may expire messages all the same."""


class FormatChanged(ProviderError):
    """A hundred rows or more were read, and none of them is as documented; the message names the field."""


class ProviderDiffers(ProviderError):
    """The provider breaks an assumption without which its listings cannot be read completely.

    The next run probes the provider anew, and takes a slower way where there is one.
    """


class NotABulk(SmsEtlError):
    """What is to be sent is not what LOX24 takes; the message names the row and never quotes a number."""

    exit_code = 2


class SyncError(SmsEtlError):
    """A sync could not go on."""


class AlreadyRunning(SyncError):
    """Another sync works on the same data directory."""


class LandingLost(SyncError):
    """The process that writes landing files ended before its work: it was killed, or short of memory."""


class WindowUnstable(SyncError):
    """A window of messages changed each time it was read."""


class WarehouseError(SmsEtlError):
    """The warehouse cannot be used."""


class WarehouseLocked(WarehouseError):
    """Another program has the warehouse open."""


class OutOfMemory(WarehouseError):
    """A statement needs more memory than it may take, or than the machine has."""


class RowsRefused(WarehouseError):
    """A statement failed by what its rows hold, not by the state of the file or the machine."""


class WarehouseTooNew(WarehouseError):
    """The warehouse was written by a newer version of sms_etl."""


class NotAWarehouse(WarehouseError):
    """The file is not a warehouse of sms_etl."""


class NoWarehouse(WarehouseError):
    """Nothing was loaded or published yet."""


class WrongAccount(WarehouseError):
    """The warehouse holds another account's messages."""


class NotInQuarantine(WarehouseError):
    """No row that waits in quarantine has the id, or several have."""


class CopyFailed(WarehouseError):
    """A copy of what is published, in PostgreSQL or Parquet, could not be made; the next sync tries again."""


class QueryError(WarehouseError):
    """An analyst's SQL was refused by the database."""


class ChecksFailed(SmsEtlError):
    """The last build failed a blocking check or did not end: what it made is not published."""

    exit_code = 3


class ModelError(SmsEtlError):
    """A SQL model cannot be read or built; the message names file and line."""


class UnknownModel(ModelError):
    """A selection of models names none, or one that there is not."""

    exit_code = 2


class ReportError(SmsEtlError):
    """A report cannot be written."""


class NotAPeriod(ReportError):
    """What was asked for is no period, or it has not begun."""

    exit_code = 2


class NoDataForPeriod(ReportError):
    """Nothing was sent in the period."""


class UnknownFilter(ReportError):
    """Lines are to be chosen by a column that they do not have, or in a way that cannot be read."""

    exit_code = 2


class InvoiceUnreadable(ReportError):
    """An invoice cannot be read; the message names the line and never quotes it."""

    exit_code = 2


class ClosedMonthChanged(ReportError):
    """The lines or the figures of a closed month no longer give its digest: somebody changed them."""


class FocusInvalid(ReportError):
    """A FOCUS file would break a rule of the specification; the message names columns and quotes no value."""


class CampaignError(SmsEtlError):
    """A campaign cannot be sent, shown or cancelled."""


class CampaignRefused(CampaignError):
    """What was asked for cannot be sent, or names no campaign; names rows and quotes no number."""

    exit_code = 2


class CampaignUnclear(CampaignError):
    """Whether a campaign was sent is not known, and nothing is sent until it is; the hint says what to do."""

    exit_code = 3


class RetentionError(SmsEtlError):
    """Nothing can be deleted."""


class PolicyInvalid(RetentionError):
    """The retention policy cannot be read; the message names the line."""

    exit_code = 2


class NoSuchPlan(RetentionError):
    """No plan of retention or erasure has the id, or is of the number that was given."""

    exit_code = 2


class NotANumber(RetentionError):
    """What is to be erased is no phone number; the message names the line and never quotes it."""

    exit_code = 2


class PlanRefused(RetentionError):
    """The plan expired, or what it was made of has changed since."""

    exit_code = 3


class NoSuchHold(RetentionError):
    """No hold in force has the id."""

    exit_code = 2


class LedgerBroken(RetentionError):
    """Rows of the ledger of deletions were changed, or are missing."""

    exit_code = 3


class DeletionStopped(RetentionError):
    """The provider did not do what it was asked to do: nothing more is asked of it."""

    exit_code = 3


class AlertNotSent(SmsEtlError):
    """An alert did not reach those it was meant for; it is tried again."""


class UiError(SmsEtlError):
    """Dagster could not be kept running."""
