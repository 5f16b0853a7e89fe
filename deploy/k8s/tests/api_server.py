"""A Kubernetes API server that only lists: enough for Traefik's provider to read objects from files."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: The kinds whose plural is not made by an `s`, and those that Traefik asks for.
KINDS = {
    "services": "Service", "secrets": "Secret", "configmaps": "ConfigMap", "endpointslices": "EndpointSlice",
    "ingressroutes": "IngressRoute", "ingressroutetcps": "IngressRouteTCP", "ingressrouteudps": "IngressRouteUDP",
    "middlewares": "Middleware", "middlewaretcps": "MiddlewareTCP", "serverstransports": "ServersTransport",
    "serverstransporttcps": "ServersTransportTCP", "tlsoptions": "TLSOption", "tlsstores": "TLSStore",
    "traefikservices": "TraefikService",
}  # fmt: skip
#: Clients first ask for a list as a watch; upon this they list (client-go, WatchList).
NO_STREAMED_LIST = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422}


class ApiServer(ThreadingHTTPServer):
    """Serves `objects` on a free loopback port; `asked` are the (group, plural, verb) of the requests."""

    daemon_threads = True

    def __init__(self, objects: Sequence[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects = objects
        self.asked: set[tuple[str, str, str]] = set()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        # /api/v1/namespaces/NAME/PLURAL or /apis/GROUP/VERSION/namespaces/NAME/PLURAL
        *root, _, namespace, plural = path.strip("/").split("/")
        version = "/".join(root[1:])
        verb = "watch" if "watch" in query else "list"
        self.server.asked.add((version.rpartition("/")[0], plural, verb))
        if "sendInitialEvents" in query:
            return self._answer(422, NO_STREAMED_LIST)
        if verb == "watch":
            return self._nothing_new()
        kind = KINDS[plural]
        found = [
            one
            for one in self.server.objects
            if (one["apiVersion"], one["kind"], one["metadata"].get("namespace")) == (version, kind, namespace)
        ]
        listed = {"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": found}
        return self._answer(200, listed)

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _nothing_new(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        self.server.over.wait()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: pytest shows what Traefik says."""


@contextmanager
def serving(objects: Sequence[dict[str, Any]]) -> Iterator[ApiServer]:
    """The server, until the block ends."""
    server = ApiServer(objects)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
