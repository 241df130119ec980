"""Open a secret URL in the browser without putting it in an argv or a file.

A browser gets the page to open in its argv, which every user of the machine can read. So it gets a file that only its
owner can read. The file leads to a page on 127.0.0.1, under a name that cannot be guessed and for one visit, and that
page redirects to the secret URL.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from venue_access.errors import DeliveryError
from venue_access.files import create_private, private_directory
from venue_access.sensitive import Secret

DEADLINE = 60.0
"""Seconds for a browser to start."""


def open_in_browser(
    url: Secret,
    folder: Path,
    *,
    show: Callable[[str], bool] = webbrowser.open,
    deadline: float = DEADLINE,
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
