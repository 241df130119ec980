"""Something that is not AWS answers in its place: a proxy, a network's sign-in page, another service."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.functional.kit import Kit, emulated, new_venue

PAGE = b"<html><head><title>Sign in</title></head><body><p>Welcome to the network</p></body></html>"
ANSWERS = {
    "a page": (200, PAGE),
    "a page that forbids": (403, PAGE),
    "a page that finds nothing": (404, PAGE),
    "nothing": (200, b""),
    "an empty document": (200, b"{}"),
    "a list": (200, b"[]"),
    "bytes": (200, b"\xff\xfe\x00\x80"),
}
COMMANDS = [
    "status",
    "provision",
    "issue-token --user alice",
    "rotate-external-id",
    "verify",
    "tokens",
    "ledger.verify",
]
LEDGER = {"s3": {"bucket": "the-ledger"}}
QUICK = ("a page", "a page that forbids")


def away(kit: Kit, url: str, **variables: Any) -> None:
    """Have the inventory send everything to a URL, with long-term keys."""
    there = emulated(
        "away-dev", emulator=False, aws_endpoint_url=url, trusted_principals=["arn:aws:iam::111122223333:root"]
    )
    kit.write_inventory({"away-dev": {**there, "users": {"alice": None, "bob": None}, **variables}})
    kit.environment |= {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


class Impostor(ThreadingHTTPServer):
    """Answers every request in the same way.

    :ivar drip: seconds between two bytes of an answer.
    """

    answer: tuple[int, bytes] = (200, b"")
    headers: Mapping[str, str] = {"Content-Type": "text/html"}
    drip: float | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, Impostor)
        self.server.requests.append(f"{self.command} {self.path}")
        status, body = self.server.answer
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # the caller has given up
            for piece in [body] if self.server.drip is None else (body[at : at + 1] for at in range(len(body))):
                self.wfile.write(piece)
                time.sleep(self.server.drip or 0)

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    server = Impostor()
    server.daemon_threads = True  # one that drips would be waited for
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "answer", [each if each in QUICK else pytest.param(each, marks=pytest.mark.soak) for each in ANSWERS]
)
def test_commands_refuse_a_foreign_endpoint(kit: Kit, impostor: Impostor, answer: str) -> None:
    away(kit, impostor.url, ledger=LEDGER)
    impostor.answer = ANSWERS[answer]
    for command in COMMANDS:
        result = kit(*command.split())
        assert "Traceback" not in result.err
        assert result.code == 5, (command, result.out, result.err)
        assert "error: " in result.err


def test_foreign_endpoint_does_not_stop_others(kit: Kit, impostor: Impostor) -> None:
    there = new_venue()
    impostor.answer = (403, PAGE)
    kit.write_inventory({there: emulated(there), "zz-dev": emulated("zz-dev", aws_endpoint_url=impostor.url)})
    result = kit("provision", "--limit", "all", "--check")
    assert result.code == 5
    assert [line.split()[0] for line in result.out.splitlines() if "changed=6 " in line] == [there]
    assert [line.split()[0] for line in result.out.splitlines() if "unreachable=1 " in line] == ["zz-dev"]
    assert "error: zz-dev: " in result.err
