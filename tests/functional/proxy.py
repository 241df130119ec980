"""A proxy before the AWS emulator that counts the writes, can meddle at each of them, and plays AWS's faults."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.functional import faults
from tests.functional.faults import Fault, FaultOf, refusal
from tests.functional.lagging_iam import Answered, LaggingIam
from venue_access.aws.client import Endpoint

_READS = ("Get", "List", "Describe", "Assume", "BatchGet", "BatchCheck", "Simulate")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of the default 5 Terraform fills more than there are, and a lost call is made twice

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # without the orderly end, which would spare the caller a reset


class Proxy:
    """What passes between the kit (and its Terraform) and the AWS emulator.

    :ivar calls: the operations that were called, in order, such as ``CreateRole``.
    :ivar writes: those of them that change something.
    :ivar refusals: what to answer instead of AWS: its error's code and message, by operation.
    :ivar fault_of: what goes wrong with a call of an operation.
    :ivar played: what went wrong, in order.
    :ivar slowness: how many seconds a slow answer takes.
    :ivar lagging: IAM that takes a while to see a change, where it is played.
    :ivar late: by how many seconds the answers' clock is behind.
    :ivar before_call: called with each operation before AWS is.
    :ivar after_write: called when AWS has carried out a write and before the caller hears of it, with its number
        (from 1) and its operation.
    """

    def __init__(self, upstream: Endpoint) -> None:
        self.calls: list[str] = []
        self.writes: list[str] = []
        self.refusals: dict[str, tuple[str, str]] = {}
        self.fault_of: FaultOf = faults.none
        self.played: list[tuple[str, Fault]] = []
        self.slowness = 2.0
        self.lagging: LaggingIam | None = None
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
        self.played.clear()

    def clear_faults(self) -> None:
        """Let no more go wrong."""
        self.fault_of = faults.none
        self.refusals = {}

    def _fault(self, operation: str) -> Fault | None:
        with self._lock:
            fault = self.fault_of(operation)
            if fault is not None:
                self.played.append((operation, fault))
        return fault

    def _note(self, operation: str) -> int:
        with self._lock:
            self.calls.append(operation)
            if operation.startswith(_READS):
                return 0
            self.writes.append(operation)
            return len(self.writes)

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answered:
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
                headers = dict(self.headers)
                name = operation(self.command, headers, body)
                number = proxy._note(name)
                proxy.before_call(name)
                fault = proxy._fault(name)
                try:
                    if fault is None or fault.is_carried_out:
                        status, answered, content = self._answered(name, headers, body)
                        if number:
                            proxy.after_write(number, name)
                    elif fault is not Fault.RESET:
                        (status, content), answered = faults.answer(fault, headers), []
                    if fault in (Fault.RESET, Fault.LOST):
                        self._reset()
                        return
                    if fault is Fault.SLOW:
                        time.sleep(proxy.slowness)
                    self._send(status, answered, content, cut_off=fault is Fault.CUT_OFF)
                except OSError:
                    self.close_connection = True  # the caller was killed, or the server has gone

            def _answered(self, name: str, headers: dict[str, str], body: bytes) -> Answered:
                if name in proxy.refusals:
                    return 400, [], refusal(headers, *proxy.refusals[name])
                forward = partial(proxy._forward, self.command, self.path, headers, body)
                return forward() if proxy.lagging is None else proxy.lagging.answer(name, headers, body, forward)

            def _send(self, status: int, answered: list[tuple[str, str]], content: bytes, *, cut_off: bool) -> None:
                self.send_response(status)
                for name, value in answered:
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + (1 if cut_off and not content else 0)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if cut_off else content)
                self.close_connection = self.close_connection or cut_off

            def _reset(self) -> None:
                # With a lingering time of none the connection ends with a reset (socket(7), SO_LINGER).
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True

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
