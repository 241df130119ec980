"""A sign-in service of our own, which keeps to the contract that AWS documents and takes note of every breach of it.

The source: IAM User Guide, "Enable custom identity broker access to the AWS console".
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

from venue_access.emulator.certificate import write_certificate

SIGNIN_TOKEN = "Very+long/and=odd&token?"
HTML = b"<!DOCTYPE html><html><title>Amazon Web Services Sign-In</title>Bad Request</html>"


@dataclass
class SignInService:
    """What it answers, whose credentials are chained, and what it was asked."""

    port: int
    ca_file: Path
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    content: bytes = json.dumps({"SigninToken": SIGNIN_TOKEN}).encode()
    pause: float = 0
    chained: bool = True
    """Whether the credentials that come are of a kind for which ``SessionDuration`` is not to be sent."""
    asked: list[dict[str, str]] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/federation"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def check(self, target: str, headers: dict[str, str], body: bytes) -> None:
        """Take note of whatever AWS would not take, and of what ought not to be there."""
        if target != "/federation":
            self.breaches.append(f"the target is {target}")
        if headers.get("content-type") != "application/x-www-form-urlencoded":
            self.breaches.append("the body is no form")
        if "authorization" in headers or "cookie" in headers:
            self.breaches.append("there are credentials in the headers")
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        fields = dict(pairs)
        self.asked.append(fields)
        wanted = {"Action", "Session"} | ({"SessionDuration"} if "SessionDuration" in fields else set())
        if len(pairs) != len(fields) or set(fields) != wanted or fields.get("Action") != "getSigninToken":
            self.breaches.append(f"the fields are {sorted(fields)}")
        if not fields.get("Session", "").startswith("{"):  # %7B: it is encoded twice
            self.breaches.append("the session is no JSON")
            return
        session = json.loads(fields["Session"])
        if set(session) != {"sessionId", "sessionKey", "sessionToken"} or not all(session.values()):
            self.breaches.append(f"the session has {sorted(session)}")
        if "SessionDuration" in fields:
            if self.chained:
                self.breaches.append("SessionDuration was sent for chained credentials")
            if not fields["SessionDuration"].isdecimal() or not 900 <= int(fields["SessionDuration"]) <= 43_200:
                self.breaches.append(f"SessionDuration is {fields['SessionDuration']}")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: some clients hang up, which is what is tested."""


@contextmanager
def sign_in_service(folder: Path) -> Iterator[SignInService]:
    """It, over TLS on this machine; a breach of the contract fails the test that it belongs to."""
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    write_certificate(ca_file, server_file, host="127.0.0.1")
    server = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    service = SignInService(server.server_port, ca_file)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                service.check(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            except ValueError as error:
                service.breaches.append(f"the body cannot be read: {error}")
            time.sleep(service.pause)
            self.send_response(service.status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(service.content)))
            self.end_headers()
            self.wfile.write(service.content)

        def do_GET(self) -> None:
            service.breaches.append(f"{self.command} {self.path}")
            self.send_error(405)

        do_PUT = do_HEAD = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server.RequestHandlerClass = Handler
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server_file)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
    assert not service.breaches
