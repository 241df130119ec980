"""What stands between the kit and AWS: proxies, redirects, certificates, broken keys. Each is named, and at once."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import Kit
from tests.functional.proxy import Proxy
from tests.functional.test_not_aws import LEDGER, PAGE, Impostor, away, impostor
from venue_access.emulator.certificate import write_certificate
from venue_access.emulator.server import aws_emulator

__all__ = ["impostor"]
LOCATION = {"Location": "http://portal.example/login?next=x"}
FORBIDDEN = json.dumps({"message": "Forbidden"}).encode()


def soak(*values: Any) -> Any:
    """A case for the soak."""
    return pytest.param(*values, marks=pytest.mark.soak)


def error_of(kit: Kit, command: str = "status", **environment: str) -> str:
    """What is said where a command ends with 5: one message."""
    result = kit(*command.split(), typed="", timeout=300, **environment)
    assert "Traceback" not in result.err
    assert result.code == 5, (result.out, result.err)
    assert result.err.startswith("error: ")
    assert result.err.count("error: ") == 1
    return result.err


@pytest.mark.parametrize(
    ("status", "body", "headers", "said"),
    [
        (302, PAGE, LOCATION, "(HTTP 302, a redirect to portal.example)"),
        (403, FORBIDDEN, {"Content-Type": "application/json"}, "(HTTP 403, a response without an error code)"),
        soak(301, b"", LOCATION, "(HTTP 301, a redirect to portal.example)"),
        soak(307, b"moved", {"Location": "/login"}, "(HTTP 307, a redirect to another path)"),
        soak(200, PAGE, {}, "(HTTP 200, an HTML page)"),
        soak(403, b"\n<!DOCTYPE HTML>", {}, "(HTTP 403, an HTML page)"),
        soak(400, b"<?xml version='1.0'?><problem/>", {}, "(HTTP 400, a response without an error code)"),
        soak(404, b"not found", {}, "(HTTP 404, a response without an error code)"),
        soak(403, b"", {}, "(HTTP 403, an empty response)"),
    ],
)
@pytest.mark.parametrize(("command", "call"), [("status", "iam:GetRole"), soak("tokens", "s3:ListObjectsV2")])
def test_foreign_response_fails_without_retries(
    kit: Kit,
    impostor: Impostor,
    command: str,
    call: str,
    status: int,
    body: bytes,
    headers: dict[str, str],
    said: str,
) -> None:
    away(kit, impostor.url, **({"ledger": LEDGER} if command == "tokens" else {}))
    impostor.answer, impostor.headers = (status, body), headers
    message = error_of(kit, command)
    assert f"the response of {impostor.url} to {call} is not from AWS {said}" in message
    assert "a proxy, a network's sign-in page" in message
    assert len(impostor.requests) == 1, "it was asked again"


def test_foreign_s3_response_is_not_a_state(kit: Kit, impostor: Impostor) -> None:
    away(kit, impostor.url, state={"backend": "s3", "bucket": "the-state", "region": "us-west-2"})
    impostor.answer = (200, PAGE)
    assert "to s3:GetObject is not from AWS" in error_of(kit, "state.force-unlock --venue away-dev --lock 0")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file or directory"),
        soak("not PEM", "it holds no certificate"),
        soak("", "it holds no certificate"),
        soak("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it holds no certificate"),
    ],
)
def test_wrong_ca_file_is_named(kit: Kit, tmp_path: Path, work_directory: Path, content: str | None, said: str) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    away(kit, aws_emulator(work_directory).endpoint().url)
    message = error_of(kit, AWS_CA_BUNDLE=str(bundle))
    assert f"the CA file {bundle} is not usable: {said}" in message


def test_untrusted_certificate_is_reported(kit: Kit, work_directory: Path) -> None:
    away(kit, aws_emulator(work_directory).endpoint().url)
    kit.environment.pop("REQUESTS_CA_BUNDLE", None)
    message = error_of(kit)
    assert "the TLS certificate of https://" in message
    assert "is not trusted for iam:GetRole: " in message
    assert "AWS_CA_BUNDLE names the CA file of a proxy" in message


def test_certificate_for_another_name_is_refused(kit: Kit, impostor: Impostor, tmp_path: Path) -> None:
    ca_file, server_file = tmp_path / "ca.pem", tmp_path / "server.pem"
    write_certificate(ca_file, server_file, host="192.0.2.1")
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(server_file)
    impostor.socket = trust.wrap_socket(impostor.socket, server_side=True)
    away(kit, impostor.url.replace("http:", "https:"))
    message = error_of(kit, AWS_CA_BUNDLE=str(ca_file))
    assert "is not trusted for iam:GetRole: hostname '127.0.0.1' doesn't match either of 'localhost'" in message


def test_server_without_tls_is_reported(kit: Kit, impostor: Impostor) -> None:
    away(kit, impostor.url.replace("http:", "https:"))
    assert f"{impostor.url.replace('http:', 'https:')} does not speak TLS (iam:GetRole)" in error_of(kit)


def test_refusing_proxy_is_named_without_password(kit: Kit, impostor: Impostor) -> None:
    away(kit, "https://sts.example.test")
    proxy = impostor.url.replace("http://", "http://alice:hunter22@")
    message = error_of(kit, HTTPS_PROXY=proxy, NO_PROXY="")
    assert "refuses the connection (HTTP 501) for iam:GetRole\n  check HTTPS_PROXY" in message
    assert "hunter22" not in message


@pytest.mark.parametrize(
    ("variable", "part"),
    [
        ("AWS_ACCESS_KEY_ID", "access key ID"),
        soak("AWS_SECRET_ACCESS_KEY", "secret access key"),
        soak("AWS_SESSION_TOKEN", "session token"),
    ],
)
def test_line_break_in_credentials_is_refused_before_sending(
    kit: Kit, impostor: Impostor, variable: str, part: str
) -> None:
    away(kit, impostor.url)
    message = error_of(kit, **{variable: "hush-hush\n"})
    assert f"your AWS credentials are not usable: the {part} contains a line break" in message
    assert "hush" not in message
    assert impostor.requests == []


def test_aws_errors_are_not_connection_errors(kit: Kit, proxy: Proxy) -> None:
    proxy.refusals = {"GetRole": ("AccessDenied", "not you")}
    away(kit, proxy.url)
    assert "AWS refused iam:GetRole: not you" in error_of(kit)
