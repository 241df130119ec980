"""Hands a URL that is a secret to the browser, without showing it to the machine.

A browser takes what it is to open in its argv, which every user of the machine may read. So it is given a file that
only its owner may read; that leads to a page on this machine, under a name that cannot be guessed and for one visit;
and that redirects to the secret, which is in no argv and in no file.
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
    """Open ``url`` in the person's browser; when this returns the browser has it and nothing is left of it here.

    :param folder: for the file; nobody else may write in it.
    :param show: has the browser open a URL; whether there is one.
    :param nonce: the name of the page; random unless given.
    :raises DeliveryError: no browser asked for it.
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
            raise DeliveryError(
                "no browser opened the console's URL", hint="leave --open out to have it printed: it is a secret"
            )
    finally:
        page.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()


def _handler(path: str, url: Secret, served: threading.Event) -> type[BaseHTTPRequestHandler]:
    once = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A browser asks for its icon as well.
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
            """Say nothing: the page's name is nobody else's business."""

    return Handler
