"""Where a request came from: for the audit log, the list of sessions, and the limits of an address."""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """`address`: the IP address as the gateway saw it. `user_agent`: what the client says it is, cut and printable."""

    address: str
    user_agent: str

    @property
    def host(self) -> str:
        """Whose tries are counted together: the address, or the /64 of IPv6, all of which one subscriber has."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:  # a test client has none
            return self.address
        if address.version == 4:
            return str(address)
        return str(ipaddress.ip_network((address, 64), strict=False))

    @property
    def network(self) -> str:
        """The part of the address that stays the same while a provider hands out others: /24, or /48 of IPv6."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:  # a test client has none
            return self.address
        prefix = 24 if address.version == 4 else 48
        return str(ipaddress.ip_network((address, prefix), strict=False))
