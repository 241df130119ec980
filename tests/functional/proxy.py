"""A proxy before the embedded AWS that counts the writes, and can meddle at each of them."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from venue_access.aws import Endpoint

_READS = ("Get", "List", "Describe", "Assume", "BatchGet", "BatchCheck", "Simulate")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of the default 5 Terraform fills more than there are, and a lost call is made twice


class Proxy:
    """What passes between the kit (and its Terraform) and the embedded AWS.

    :ivar calls: the operations that were called, in order, such as ``CreateRole``.
    :ivar writes: those of them that change something.
    :ivar refusals: what to answer instead of AWS: its error's code and message, by operation.
    :ivar late: by how many seconds the answers' clock is behind.
    :ivar before_call: called with each operation before AWS is.
    :ivar after_write: called when AWS has carried out a write and before the caller hears of it, with its number
        (from 1) and its operation.
    """

    def __init__(self, upstream: Endpoint) -> None:
        self.calls: list[str] = []
        self.writes: list[str] = []
        self.refusals: dict[str, tuple[str, str]] = {}
        self.late = 0.0
        self.before_call: Callable[[str], None] = lambda operation: None
        self.after_write: Callable[[int, str], None] = lambda number, operation: None
        self._upstream = upstream
        self._lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def forget(self) -> None:
        """Begin counting anew."""
        self.calls.clear()
        self.writes.clear()

    def _note(self, operation: str) -> int:
        with self._lock:
            self.calls.append(operation)
            if operation.startswith(_READS):
                return 0
            self.writes.append(operation)
            return len(self.writes)

    def _forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        where = urlsplit(self._upstream.url)
        trust = ssl.create_default_context(cafile=str(self._upstream.ca_file))
        connection = http.client.HTTPSConnection(where.hostname or "", where.port, context=trust, timeout=30)
        with closing(connection):  # one left open would hold the server's end for half a minute
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _relay(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                name = operation(self.command, dict(self.headers), body)
                number = proxy._note(name)
                proxy.before_call(name)
                answered: list[tuple[str, str]] = []
                try:
                    if name in proxy.refusals:
                        status, content = 400, refusal(dict(self.headers), *proxy.refusals[name])
                    else:
                        status, answered, content = proxy._forward(self.command, self.path, dict(self.headers), body)
                    if number:
                        proxy.after_write(number, proxy.writes[number - 1])
                    self.send_response(status)
                    for name, value in answered:
                        if name.lower() not in ("transfer-encoding", "connection", "content-length", "date"):
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True  # the caller was killed, or the server has gone

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _relay

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(int(time.time() - proxy.late))

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: it would be in the tests' output."""

        return Handler


def operation(method: str, headers: dict[str, str], body: bytes) -> str:
    """The name of an AWS operation: in a header (JSON protocols), in the form (query protocol), else the method."""
    named = {name.lower(): value for name, value in headers.items()}
    if "x-amz-target" in named:
        return named["x-amz-target"].rsplit(".", 1)[-1]
    if "x-www-form-urlencoded" in named.get("content-type", ""):
        return parse_qs(body.decode()).get("Action", [method])[0]
    return {"GET": "GetObject", "HEAD": "GetObject"}.get(method, f"S3:{method}")


def refusal(headers: dict[str, str], code: str, message: str) -> bytes:
    """An error as AWS answers it, in the protocol that it was asked in (Smithy, AWS JSON and AWS query protocols)."""
    if any(name.lower() == "x-amz-target" for name in headers):
        return json.dumps({"__type": code, "message": message}).encode()
    told = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    return f"<ErrorResponse><Error>{told}</Error><RequestId>0a1b2c3d</RequestId></ErrorResponse>".encode()


@contextmanager
def proxy_before(upstream: Endpoint) -> Iterator[Proxy]:
    """A proxy that runs as long as the context does."""
    proxy = Proxy(upstream)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
