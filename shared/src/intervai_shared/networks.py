"""IP networks in CIDR notation (RFC 4632, RFC 4291 section 2.3)."""

from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]


@cache
def networks(text: str) -> Networks:
    """Reads networks with commas between. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def covers(found: Networks, address: str) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in found)
