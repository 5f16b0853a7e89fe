"""Where a request came from, as the gateway saw it."""

from starlette.requests import Request

from intervai_shared.networks import covers, networks


def client_address(request: Request) -> str:
    """The client's IP address: the last one in X-Forwarded-For that is no trusted proxy. The gateway drops what a
    client claims there and adds who connected to it; proxies that it trusts (`TRUSTED_PROXIES`) have added who did to
    them."""
    told = ",".join(request.headers.getlist("x-forwarded-for"))
    addresses = [address for part in told.split(",") if (address := part.strip())]
    trusted = networks(request.app.state.settings.trusted_proxies)
    for address in reversed(addresses):
        if not covers(trusted, address):
            return address
    peer = request.client.host if request.client else "unknown"
    return addresses[0] if addresses else peer
