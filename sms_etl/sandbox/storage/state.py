"""All that one sandbox knows: its account, clock, switches, 2SMS messages and the log of requests."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sms_etl.errors import SettingsError
from sms_etl.sandbox.control.clock import SandboxClock
from sms_etl.sandbox.control.guard import Guard, LoggedRequest
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters, make_account
from sms_etl.sandbox.life.fraud import SHAPES, plant
from sms_etl.sandbox.life.scenarios import DAY
from sms_etl.sandbox.lox24.webhooks import Webhooks
from sms_etl.sandbox.storage.statefile import StateFile
from sms_etl.sandbox.storage.store import Store
from sms_etl.sandbox.twosms.store import TwoSmsStore
from sms_etl.web.loopback import is_loopback

SANDBOX_TOKEN = "sandbox:sandbox-key"  # noqa: S105 - a public constant that opens nothing but a sandbox
ACCOUNT_ID = 4711
_REQUESTS_KEPT = 50_000


@dataclass(slots=True)
class SandboxState:
    """What the handlers share; made by `open_state`."""

    clock: SandboxClock
    store: Store
    twosms: TwoSmsStore
    webhooks: Webhooks
    switches: SandboxSwitches
    seed: int
    token: str = SANDBOX_TOKEN
    monotonic: Callable[[], float] = time.monotonic
    file: StateFile | None = None
    guard: Guard = field(default_factory=Guard)
    requests: deque[LoggedRequest] = field(default_factory=lambda: deque(maxlen=_REQUESTS_KEPT))

    def now(self) -> int:
        """Return the sandbox's moment in unix seconds."""
        return self.clock.now()

    def move_clock(self, moment: int) -> None:
        """Set the clock forward.

        Raises:
            ValueError: The moment is past.
        """
        self.clock.move_to(moment)
        self.keep()

    def set_switches(self, switches: SandboxSwitches) -> None:
        """Behave otherwise from now on. A fraud that was not on before begins at the next midnight (UTC)."""
        is_new = switches.fraud != self.switches.fraud
        self.switches = switches
        if is_new and switches.fraud != "none":
            self.plant_fraud(midnight=self.now() // DAY * DAY + DAY)

    def plant_fraud(self, *, midnight: int) -> None:
        """Add the messages of the abuse that is switched on, from a midnight on."""
        self.store.put_messages(
            plant(
                self.switches.fraud,
                midnight=midnight,
                next_number=self.store.next_number,
                seed=self.seed,
            )
        )

    def keep(self) -> None:
        """Write to the file what is not a life: the clock, the 2SMS messages, the events to be sent."""
        if self.file:
            self.file.put_setting("now", str(self.now()))
            self.file.put_setting("twosms", self.twosms.as_text())
            self.file.put_setting("webhooks", self.webhooks.as_text())

    def close(self) -> None:
        """Keep what is to be kept and let go of the file; again does nothing."""
        if self.file:
            self.keep()
            self.file.close()
            self.file = None


def open_state(
    path: Path | None = None,
    *,
    switches: SandboxSwitches | None = None,
    account: AccountParameters | None = None,
    webhook_url: str | None = None,
    live: bool = False,
    monotonic: Callable[[], float] = time.monotonic,
) -> SandboxState:
    """Open a sandbox's state, or make a new one.

    Args:
        path: SQLite file; in memory unless given. One that is there already goes on where it was, and then
            `account` counts for nothing.
        switches: How it behaves; not kept in the file.
        account: What account is made.
        webhook_url: Where `sms.delivery` events go; nowhere unless given.
        live: Whether the clock runs with real time.
        monotonic: Real time in seconds, for the live clock and the rate limit.

    Raises:
        SettingsError: The file cannot be used, or `webhook_url` is not this machine's.
    """
    if webhook_url and not is_loopback(webhook_url):
        raise SettingsError("The sandbox sends events to this machine only.", hint="Give an address of it.")
    parameters = account or AccountParameters()
    file = StateFile(path) if path else None
    now, seed, webhook_text, twosms_text = parameters.now, parameters.seed, None, None
    is_new = file is None or file.is_new
    if file and not is_new:
        store = Store(
            file.messages(is_deleted=False),
            file.bulks(is_deleted=False),
            deleted=file.messages(is_deleted=True),
            file=file,
        )
        now, seed = int(file.setting("now") or now), json.loads(file.setting("account") or "{}")["seed"]
        webhook_text, twosms_text = file.setting("webhooks"), file.setting("twosms")
    else:
        made = make_account(parameters)
        store = Store(made.messages, made.bulks, file=file)
        if file:
            _keep_new(file, parameters, [*made.messages, *made.bulks])
    state = SandboxState(
        clock=SandboxClock(now, live=live, monotonic=monotonic),
        store=store,
        twosms=TwoSmsStore.from_text(twosms_text) if twosms_text else TwoSmsStore.made(now),
        webhooks=Webhooks.from_text(webhook_text, url=webhook_url, now=now),
        switches=switches or SandboxSwitches(),
        seed=seed,
        monotonic=monotonic,
        file=file,
    )
    if is_new and state.switches.fraud != "none":
        state.plant_fraud(midnight=now // DAY * DAY - SHAPES[state.switches.fraud].days * DAY)
    state.keep()
    return state


def _keep_new(file: StateFile, parameters: AccountParameters, lives: list[Any]) -> None:
    file.put(lives)
    file.put_setting("account", json.dumps(asdict(parameters), default=str))
