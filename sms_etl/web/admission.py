"""Who may speak to a server that is not only this machine's: addresses, and a secret in the path. Pure."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks with commas between them, such as `203.0.113.7,2001:db8::/32`.

    Raises:
        ValueError: One of them is neither; the message says what to write.
    """
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(
            "give addresses or networks with commas between them, such as 203.0.113.7,198.51.100.0/24"
        ) from None


def is_within(address: str | None, networks: Sequence[Network]) -> bool:
    """Return whether an address lies in one of the networks; one that is none, or not known, does not."""
    try:
        found = ip_address((address or "").strip())
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped  # a socket of both kinds shows IPv4 so
    return any(found in network for network in networks)


def networks(text: str) -> str:
    """Return a list of networks as it is.

    Raises:
        ValueError: It is none, or is empty.
    """
    if not parse_networks(text):
        raise ValueError("name at least one address or network, or remove it")
    return text


def secret_in_an_address(secret: str) -> str:
    """Return a secret that is long enough not to be guessed and may stand in an address.

    Raises:
        ValueError: It is too short, or has other signs.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", secret.strip()):
        raise ValueError("give 16 to 200 letters, digits, - and _, such as secrets.token_urlsafe(32) makes")
    return secret.strip()


def header_name(name: str) -> str:
    """Return the name of a header.

    Raises:
        ValueError: It is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", name.strip()):
        raise ValueError("give the name of a header such as X-Real-IP")
    return name.strip()
