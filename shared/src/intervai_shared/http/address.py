"""Where a request came from, as the gateway saw it."""

from starlette.requests import Request


def client_address(request: Request) -> str:
    """The client's IP address. The gateway sets X-Real-Ip and drops what the client claims there."""
    peer = request.client.host if request.client else "unknown"
    return request.headers.get("x-real-ip", peer)
