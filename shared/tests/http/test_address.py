"""Who a request is from, behind the gateway and whatever stands before it."""

from types import SimpleNamespace

import pytest
from starlette.requests import Request

from intervai_shared.http.address import client_address
from intervai_shared.networks import networks

CLIENT, BALANCER, CDN = "203.0.113.7", "10.0.3.4", "2001:db8::1"


def request(trusted: str, **headers: str) -> Request:
    app = SimpleNamespace(state=SimpleNamespace(settings=SimpleNamespace(trusted_proxies=trusted)))
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": told, "app": app, "client": ("127.0.0.1", 1)})


@pytest.mark.parametrize(
    ("trusted", "told", "wanted"),
    [
        ("", CLIENT, CLIENT),
        ("", f"198.51.100.1, {CLIENT}", CLIENT),
        ("10.0.0.0/8", f"{CLIENT}, {BALANCER}", CLIENT),
        ("10.0.0.0/8", f"198.51.100.1, {CLIENT}, {BALANCER}", CLIENT),
        ("10.0.0.0/8, 2001:db8::/32", f"{CLIENT},{CDN},{BALANCER}", CLIENT),
        ("10.0.0.0/8", f"{CLIENT}, {CDN}, {BALANCER}", CDN),
        ("10.0.0.0/8", f"10.0.0.9, {BALANCER}", "10.0.0.9"),
        ("10.0.0.0/8", f"unknown, {BALANCER}", "unknown"),
        ("", "", "127.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_is_the_client(trusted: str, told: str, wanted: str) -> None:
    assert client_address(request(trusted, x_forwarded_for=told)) == wanted


def test_a_proxy_that_says_nothing_of_x_real_ip_does_no_harm() -> None:
    told = {"x_forwarded_for": f"{CLIENT}, {BALANCER}", "x_real_ip": BALANCER}
    assert client_address(request("10.0.0.0/8", **told)) == CLIENT


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        networks("10.0.0.1/8")
