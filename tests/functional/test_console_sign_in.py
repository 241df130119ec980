"""Sign in at a service that follows AWS's contract, and open the URL in a browser."""

from __future__ import annotations

import http.client
import json
import stat
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tests.functional.sign_in_service import HTML, SIGNIN_TOKEN, SignInService, sign_in_service
from venue_access.aws.client import Credentials
from venue_access.errors import AwsError, ConnectionFailed, DeliveryError
from venue_access.sensitive import Secret
from venue_access.tokens.console.sign_in import open_in_browser, signin_token

KEYS = Credentials("ASIAEXAMPLEEXAMPLE00", Secret('se"cret/k&y%41'), Secret("session+token==&Action=logout"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SignInService]:
    with sign_in_service(tmp_path) as running:
        yield running


def sign_in(service: SignInService, duration: int | None = None, deadline: float = 20) -> Secret:
    return signin_token(service.url, KEYS, session_duration=duration, tls=service.tls(), deadline=deadline)


# -- the exchange ----------------------------------------------------------------------------------------------------


def test_credentials_are_sent_in_one_post_body(service: SignInService) -> None:
    assert sign_in(service).reveal() == SIGNIN_TOKEN
    service.chained = False
    assert sign_in(service, 3599).reveal() == SIGNIN_TOKEN
    assert [asked.get("SessionDuration") for asked in service.asked] == [None, "3599"]
    for asked in service.asked:
        assert json.loads(asked["Session"]) == {
            "sessionId": KEYS.access_key_id,
            "sessionKey": KEYS.secret_access_key.reveal(),
            "sessionToken": "session+token==&Action=logout",
        }


ECHO = f"sessionKey={KEYS.secret_access_key.reveal()}".encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 400, "content": HTML + ECHO}, "refused the credentials (HTTP 400)"),
        ({"status": 503, "content": ECHO}, "refused the credentials (HTTP 503)"),
        ({"content": HTML + ECHO, "headers": {"Content-Type": "text/html"}}, "with an HTML page"),
        ({"content": b"  " + HTML + ECHO}, "with an HTML page"),
        ({"content": b""}, "with nothing"),
        ({"content": b" \r\n"}, "with nothing"),
        ({"status": 302, "headers": {"Location": "https://127.0.0.1:1/"}, "content": ECHO}, "with a redirection"),
        ({"status": 307, "headers": {"Location": "file:///etc/passwd"}, "content": b""}, "with a redirection"),
        ({"content": ECHO}, "is not JSON"),
        ({"content": json.dumps({"sessionKey": ECHO.decode()}).encode()}, "without a SigninToken"),
        ({"content": b'{"SigninToken": ""}'}, "without a SigninToken"),
        ({"content": b'{"SigninToken": 7}'}, "without a SigninToken"),
        ({"content": b"[]"}, "without a SigninToken"),
        ({"content": b"[" * 100_000}, "more than a sign-in token"),
        ({"content": b"\xff\xfe"}, "is not JSON"),
    ],
)
def test_invalid_response_is_reported_without_secrets(
    service: SignInService, answer: dict[str, Any], said: str
) -> None:
    for name, value in answer.items():
        setattr(service, name, value)
    with pytest.raises(AwsError) as refused:
        sign_in(service)
    shown = "".join(traceback.format_exception(refused.value))
    assert said in str(refused.value)
    assert len(service.asked) == 1
    assert 'se"cret' not in shown
    assert "session+token" not in shown


def test_unresponsive_service_times_out(service: SignInService) -> None:
    service.pause = 1
    with pytest.raises(ConnectionFailed, match="did not answer in time"):
        sign_in(service, deadline=0.2)


def test_impostor_receives_no_credentials(service: SignInService) -> None:
    with pytest.raises(ConnectionFailed, match="is not valid"):
        signin_token(service.url, KEYS, session_duration=None)
    assert service.asked == []


def test_proxy_of_the_environment_is_used(service: SignInService, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with pytest.raises(ConnectionFailed, match="could not be reached"):
        sign_in(service)
    assert service.asked == []


# -- the browser -----------------------------------------------------------------------------------------------------


def test_browser_gets_url_by_private_file_and_one_visit_page(tmp_path: Path) -> None:
    url = "https://us-west-2.signin.aws.amazon.com/federation?SigninToken=hunter2"
    seen: dict[str, Any] = {}

    def browse(shown: str) -> None:
        page = Path(url2pathname(urlsplit(shown).path))
        seen["mode"] = stat.S_IMODE(page.stat().st_mode)
        text = page.read_text()
        there = urlsplit(text.split("url=", 1)[1].split('"', 1)[0])
        answers = []
        for path in ("/favicon.ico", there.path, there.path):
            connection = http.client.HTTPConnection(there.netloc)
            connection.request("GET", path)
            answer = connection.getresponse()
            answers.append((answer.status, answer.headers["Location"]))
        seen.update(argument=shown, text=text, answers=answers, host=there.hostname)

    def show(shown: str) -> bool:
        browser = threading.Thread(target=browse, args=(shown,))
        browser.start()
        browser.join()
        return True

    open_in_browser(Secret(url), tmp_path / "work", show=show)
    assert seen["answers"] == [(404, None), (303, url), (404, None)]
    assert (seen["mode"], seen["host"]) == (0o600, "127.0.0.1")
    assert "hunter2" not in seen["argument"] + seen["text"]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("there_is_one", [True, False])
def test_missing_browser_is_reported_and_leaves_nothing(tmp_path: Path, there_is_one: bool) -> None:
    with pytest.raises(DeliveryError, match="no browser opened"):
        open_in_browser(Secret("https://x"), tmp_path / "work", show=lambda url: there_is_one, deadline=0.1)
    assert list((tmp_path / "work").iterdir()) == []
