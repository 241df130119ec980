"""Exchange credentials for a sign-in token: one POST to AWS's federation endpoint."""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from venue_access.aws.types import Credentials
from venue_access.errors import AwsError, ConnectionFailed, DeliveryError
from venue_access.files import create_private, private_directory
from venue_access.sensitive import Secret

DEADLINE = 20.0
"""Seconds."""
_MAX = 65_536  # bytes; a sign-in token has about a thousand
_NETWORK = "check the network, and HTTPS_PROXY where there is a proxy"
_REFUSED = "the credentials may have expired or been revoked, or the clock of this machine may be wrong"


def signin_token(
    federation: str,
    keys: Credentials,
    *,
    session_duration: int | None,
    tls: ssl.SSLContext | None = None,
    deadline: float = DEADLINE,
    clock: Callable[[], float] = time.monotonic,
) -> Secret:
    """Return a sign-in token for credentials, which are sent in the body of a POST and nowhere else.

    The environment's proxies are used, as in AWS's tools: they see the host's name and nothing of the exchange.
    Redirections are not followed: the credentials are for one host.

    :param federation: the ``https`` URL of the endpoint.
    :param session_duration: seconds; None leaves ``SessionDuration`` out.
    :param tls: the trusted certificate authorities; default: the machine's.
    :raises ConnectionFailed: there is no answer, or the host's certificate is not valid.
    :raises AwsError: the answer is not a token; no message quotes it, because it may quote the request.
    """
    host = urlsplit(federation).hostname
    until = clock() + deadline
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=tls or ssl.create_default_context()), _NoRedirection()
    )
    request = urllib.request.Request(
        federation,
        data=_body(keys, session_duration),
        method="POST",
        headers={"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "venue-access"},
    )
    try:
        with opener.open(request, timeout=deadline) as answer:
            status, kind, content = answer.status, answer.headers.get_content_type(), b""
            while len(content) <= _MAX and (piece := answer.read1(4096)):
                content += piece
                if clock() > until:
                    raise TimeoutError
    except urllib.error.HTTPError as error:
        status, kind, content = error.code, error.headers.get_content_type(), b""
        error.close()
    except (OSError, http.client.HTTPException) as error:
        # Without its cause, which contains the request.
        raise _unreachable(host, error.reason if isinstance(error, urllib.error.URLError) else error) from None
    return _token(f"the sign-in service {host}", status, kind, content)


def _body(keys: Credentials, session_duration: int | None) -> bytes:
    assert keys.session_token is not None  # ``session`` accepts no other
    session = {
        "sessionId": keys.access_key_id,
        "sessionKey": keys.secret_access_key.reveal(),
        "sessionToken": keys.session_token.reveal(),
    }
    fields = {"Action": "getSigninToken", "Session": json.dumps(session, separators=(",", ":"))}
    if session_duration is not None:
        fields["SessionDuration"] = str(session_duration)
    return urlencode(fields, quote_via=quote, safe="").encode("ascii")


def _token(service: str, status: int, kind: str, content: bytes) -> Secret:
    """Return the token in an answer."""
    if 300 <= status < 400:
        raise AwsError(
            f"{service} answered with a redirection (HTTP {status}), which is not followed",
            hint="a proxy or a sign-in page of the network may have answered",
        )
    if status != 200:
        raise AwsError(f"{service} refused the credentials (HTTP {status})", hint=_REFUSED)
    if not content.strip():
        raise AwsError(f"{service} answered with nothing", hint="try again")
    if len(content) > _MAX:
        raise AwsError(f"{service} answered with more than a sign-in token", hint=_NETWORK)
    if kind == "text/html" or content.lstrip()[:1] == b"<":
        raise AwsError(f"{service} answered with an HTML page instead of a sign-in token", hint=_REFUSED)
    try:
        document: Any = json.loads(content)
    except ValueError:
        raise AwsError(f"{service} answered with something that is not JSON", hint=_NETWORK) from None
    found = document.get("SigninToken") if isinstance(document, dict) else None
    if not isinstance(found, str) or not found:
        raise AwsError(f"{service} answered without a SigninToken", hint=_REFUSED)
    return Secret(found)


def _unreachable(host: str | None, reason: object) -> ConnectionFailed:
    if isinstance(reason, TimeoutError):
        return ConnectionFailed(f"the sign-in service {host} did not answer in time", hint=_NETWORK)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return ConnectionFailed(
            f"the certificate of the sign-in service {host} is not valid: {reason.verify_message}",
            hint="nothing was sent; if a proxy inspects TLS, set SSL_CERT_FILE to its CA",
        )
    return ConnectionFailed(f"the sign-in service {host} could not be reached ({type(reason).__name__})", hint=_NETWORK)


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Returns a redirection like any other answer."""

    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        """Do not follow it."""


OPENING_LIMIT = 60.0
"""Seconds for a browser to start."""


def open_in_browser(
    url: Secret,
    folder: Path,
    *,
    show: Callable[[str], bool] = webbrowser.open,
    deadline: float = OPENING_LIMIT,
    nonce: str | None = None,
) -> None:
    """Open ``url`` in the user's browser, and return when the browser has it.

    :param folder: for the file; only its owner may write in it.
    :param show: opens a URL in the browser, and returns whether there is one.
    :param nonce: the name of the page; default: random.
    :raises DeliveryError: no browser requested the page.
    """
    nonce = nonce or secrets.token_urlsafe(32)
    served = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(f"/{nonce}", url, served))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    page = private_directory(folder) / f"console-{server.server_port}.html"
    try:
        thread.start()
        here = f"http://127.0.0.1:{server.server_port}/{nonce}"
        refresh = f'<meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0; url={here}">'
        create_private(page, f"<!doctype html>{refresh}<title>AWS console</title>\n".encode("ascii"))
        if not show(page.absolute().as_uri()) or not served.wait(deadline):
            raise DeliveryError("no browser opened the console's URL", hint="omit --open to print it: it is a secret")
    finally:
        page.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()


def _handler(path: str, url: Secret, served: threading.Event) -> type[BaseHTTPRequestHandler]:
    once = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A browser requests its icon as well.
            if hmac.compare_digest(self.path.encode(), path.encode()) and once.acquire(blocking=False):
                self.send_response(303)
                self.send_header("Location", url.reveal())
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.wfile.flush()
                served.set()
            else:
                self.send_error(404)

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing: the page's name is secret."""

    return Handler
