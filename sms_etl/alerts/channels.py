"""The ways alerts are told by: a JSON post, and e-mail. Neither quotes an address, a user or a password."""

import smtplib
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from socket import gethostname
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx
from pydantic import SecretStr

from sms_etl.alerts.incident import Incident
from sms_etl.errors import AlertNotSent
from sms_etl.plain_text import printable
from sms_etl.settings import Settings
from sms_etl.web.loopback import is_loopback_host

_TIMEOUT_SECONDS = 10
_SMTPS_PORT, _SMTP_PORT = 465, 587


class Channel(Protocol):
    """A way to tell of an incident."""

    @property
    def name(self) -> str:
        """What is kept of it beside an incident that was told."""
        ...

    def send(self, incident: Incident) -> None:
        """Tell of it.

        Raises:
            AlertNotSent: It was not taken.
        """
        ...


def channels(settings: Settings) -> tuple[Channel, ...]:
    """Return the ways that are set up; none if nobody is to be told."""
    return tuple(_set_up(settings))


def _set_up(settings: Settings) -> Iterator[Channel]:
    where = f"{gethostname()}:{settings.data_dir}"
    if settings.alert_webhook is not None:
        yield Webhook(settings.alert_webhook, where)
    if settings.alert_smtp is not None:
        sender = settings.alert_from or settings.alert_to[0]
        yield Mail(settings.alert_smtp, sender, settings.alert_to, where)


@dataclass(frozen=True)
class Webhook:
    """Posts an incident as JSON."""

    url: SecretStr
    where: str
    name: str = "webhook"

    def send(self, incident: Incident) -> None:
        """Post it; anything but a 2xx is a failure, and no redirect is followed."""
        try:
            answer = httpx.post(
                self.url.get_secret_value(),
                json=self._body(incident),
                timeout=_TIMEOUT_SECONDS,
                follow_redirects=False,
            )
        except httpx.HTTPError as exc:
            raise _not_sent("SMS_ETL_ALERT_WEBHOOK", type(exc).__name__) from None  # its text has the address
        if not answer.is_success:
            raise _not_sent("SMS_ETL_ALERT_WEBHOOK", f"it answered {answer.status_code}")

    def _body(self, incident: Incident) -> Mapping[str, object]:
        text = _for_chat(as_text(incident, self.where))
        return {"text": text, "where": self.where, "alert": incident.as_json()}


@dataclass(frozen=True)
class Mail:
    """Sends an incident by e-mail; a password only over TLS, or to this machine."""

    server: SecretStr
    sender: str
    to: tuple[str, ...]
    where: str
    name: str = "mail"

    def send(self, incident: Incident) -> None:
        """Send it to all at once."""
        message = EmailMessage()
        message["Subject"] = printable(f"sms_etl: {incident.title}")
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message.set_content(as_text(incident, self.where) + "\n")
        try:
            self._deliver(message)
        except (OSError, smtplib.SMTPException, ValueError) as exc:
            raise _not_sent("SMS_ETL_ALERT_SMTP", _why(exc)) from None  # its text may have an address

    def _deliver(self, message: EmailMessage) -> None:
        parts = urlsplit(self.server.get_secret_value())
        host, is_tls = str(parts.hostname), parts.scheme == "smtps"
        context = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(host, parts.port or _SMTPS_PORT, timeout=_TIMEOUT_SECONDS, context=context)
            if is_tls
            else smtplib.SMTP(host, parts.port or _SMTP_PORT, timeout=_TIMEOUT_SECONDS)
        ) as connection:
            connection.ehlo()
            if not is_tls and connection.has_extn("starttls"):
                connection.starttls(context=context)
                is_tls = True
            if not is_tls and not is_loopback_host(host):
                raise ssl.SSLError("no TLS")
            if parts.username:
                connection.login(unquote(parts.username), unquote(parts.password or ""))
            connection.send_message(message)


def as_text(incident: Incident, where: str) -> str:
    """Return what a person reads: what, where, and what to do next."""
    mark = "ALARM" if incident.is_alarm else "Attention"
    lines = (f"{mark}: {incident.title}", incident.text, f"Where: {where}", f"Next: {incident.command}")
    return "\n".join(printable(line) for line in lines if line)


def _for_chat(text: str) -> str:
    """Escape what Slack, and chats that take what it takes, would obey: `<!channel>` calls everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _why(exc: Exception) -> str:
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        return "user or password is wrong"
    if isinstance(exc, ssl.SSLError) and exc.args == ("no TLS",):
        return "the server offers no TLS"
    if isinstance(exc, smtplib.SMTPResponseException):
        return f"{type(exc).__name__}, code {exc.smtp_code}"
    return type(exc).__name__


def _not_sent(setting: str, why: str) -> AlertNotSent:
    return AlertNotSent(
        f"An alert was not sent by {setting}: {why}.",
        hint="It is tried again. `sms-etl alerts --test` sends one to try the setting.",
    )
