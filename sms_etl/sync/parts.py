"""What a sync works with: client, clock, warehouse, writer and loader, so that each can be exchanged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sms_etl.accounts import limits_of
from sms_etl.pii.policy import Pii
from sms_etl.providers.lox24.client import Lox24Client
from sms_etl.settings import Settings
from sms_etl.sync.landing.worker import Lander
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.loading.load import load
from sms_etl.sync.loading.missing import Missing
from sms_etl.warehouse.store import Warehouse

Load = Callable[..., tuple[LoadCounts, Missing]]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one sync."""

    client: Lox24Client
    clock: Callable[[], datetime]
    warehouse: Warehouse
    make_writer: Callable[[Pii], Lander]
    """Of landing files; made once the warehouse has said that policy and key are its own."""
    load: Load = load

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the parts that settings describe."""
        return cls(
            client_of(settings),
            settings.clock,
            Warehouse.of(settings),
            lambda pii: Lander(settings.landing_dir, pii),
        )


def client_of(settings: Settings) -> Lox24Client:
    """Return a client of the account that the settings name."""
    return Lox24Client(
        settings.lox24_base_url,
        settings.lox24_token.get_secret_value() if settings.lox24_token else "",
        settings.clock,
        limits=limits_of(settings),
    )
