"""Who deletes, holds or erases, as the ledger and the holds name them."""

import os
import pwd
from contextlib import suppress


def current_actor() -> str:
    """Return the name of the system's user who runs this, or its number."""
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())
