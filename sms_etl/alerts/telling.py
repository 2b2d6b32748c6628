"""Tells of what is wrong, each incident once by each way."""

from dataclasses import dataclass
from typing import Any

from filelock import FileLock

from sms_etl.alerts.channels import Channel, channels
from sms_etl.alerts.incident import NOTHING, Incident, Open, Source
from sms_etl.alerts.reading import open_incidents
from sms_etl.alerts.told import read_told, write_told
from sms_etl.errors import AlertNotSent, SettingsError
from sms_etl.files import PRIVATE_FILE, make_directory
from sms_etl.settings import Settings

_LOCK_FILE = "alerts.lock"
TRIAL = Incident(
    Source.SYNC,
    "trial",
    "This is a trial",
    "Alerts reach you. Nothing is wrong.",
    "sms-etl alerts",
)


@dataclass(frozen=True)
class Telling:
    """What is wrong, and what became of telling it."""

    incidents: tuple[Incident, ...]
    told: int
    """Incidents that were told now, by one way or more."""
    errors: tuple[str, ...]
    """Why ways failed; they are tried again next time."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "incidents": [each.as_json() for each in self.incidents],
            "told": self.told,
            "errors": list(self.errors),
        }


def tell(settings: Settings, also: Open = NOTHING) -> Telling:
    """Tell of each incident that is open and was not told yet, by each way that is set up.

    An incident that is over is forgotten: if it comes back, it is told again. A way that fails keeps no other
    from being used, and is tried again at the next call.

    Args:
        settings: Name the warehouse, and who is told.
        also: What else is wrong, beside what the warehouse and the published copy know.

    Raises:
        WarehouseError: The warehouse cannot be read.
        DataDirError: What was told cannot be kept.
    """
    make_directory(settings.data_dir)
    with FileLock(settings.data_dir / _LOCK_FILE, mode=PRIVATE_FILE):
        now = open_incidents(settings) + also
        told = read_told(settings)
        told.forget_what_is_over(now)
        newly, errors = set(), []
        for way in channels(settings):
            try:
                for incident in now.incidents:
                    if not told.is_told(incident.key, way.name):
                        way.send(incident)
                        told.note(incident.key, way.name)
                        newly.add(incident.key)
            except AlertNotSent as exc:  # the next incident would wait for the same time-out
                errors.append(exc.message)
            finally:
                write_told(settings, told)
        return Telling(now.incidents, len(newly), tuple(errors))


def try_channels(settings: Settings) -> tuple[Channel, ...]:
    """Send a trial by each way that is set up, and return them.

    Raises:
        SettingsError: None is.
        AlertNotSent: One did not take it.
    """
    found = channels(settings)
    if not found:
        raise nobody_is_told()
    for way in found:
        way.send(TRIAL)
    return found


def nobody_is_told() -> SettingsError:
    """Return the error of alerts without a way."""
    return SettingsError(
        "Nobody is told: neither SMS_ETL_ALERT_WEBHOOK nor SMS_ETL_ALERT_SMTP is set.",
        hint="docs/operations.md shows both.",
    )
