"""Checks addresses of PostgreSQL, and tells those of this machine from others. Pure."""

import re
from urllib.parse import parse_qs, urlsplit

from sms_etl.web.loopback import is_loopback_host

_SHAPE = "give it as postgresql://user:password@host:port/database"


def checked_postgres_url(url: str) -> str:
    """Return an address that can be one.

    Raises:
        ValueError: It cannot; what it says holds nothing of the address.
    """
    try:
        parts = urlsplit(url.strip())
        is_good = parts.scheme in {"postgresql", "postgres"} and parts.port != 0 and len(parts.path) > 1
    except ValueError as exc:
        raise ValueError(_SHAPE) from exc
    if not is_good or re.search(r"\s", url.strip()):
        raise ValueError(f"{_SHAPE}; signs such as @ or / in a password as %40 or %2F")
    return url.strip()


def leads_to_this_machine(url: str) -> bool:
    """Return whether an address leads to this machine; one that cannot be read is refused elsewhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    named = [parts.hostname] if parts.hostname else parse_qs(parts.query).get("host", [])
    return all(host.startswith("/") or is_loopback_host(host) for host in named)
