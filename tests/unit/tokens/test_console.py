"""Where the console is, which credentials can sign in to it, and for how long."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import CallerIdentity, Credentials
from venue_access.errors import UsageError
from venue_access.sensitive import Secret
from venue_access.tokens.console.session import (
    ConsoleCredentials,
    check_can_sign_in,
    check_has_console,
    console_url,
    from_environment,
    from_json,
)
from venue_access.tokens.console.site import Page, Site, check_issuer

NOW = datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc)
KEYS = Credentials("ASIAEXAMPLEEXAMPLE00", Secret("secret/key"), Secret("session+token=="))
SESSION = {"AccessKeyId": KEYS.access_key_id, "SecretAccessKey": "secret/key", "SessionToken": "session+token=="}
SITE = Site.of("us-west-2")


def lasting(seconds: float, *, lends: bool = True) -> ConsoleCredentials:
    return ConsoleCredentials(KEYS, NOW + timedelta(seconds=seconds), lends)


# -- hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "signin", "console"),
    [
        ("us-west-2", "us-west-2.signin.aws.amazon.com", "us-west-2.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.signin.amazonaws.cn", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-east-1", "us-gov-east-1.signin.amazonaws-us-gov.com", "us-gov-east-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.signin.amazonaws-eusc.eu", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_hosts_by_partition_and_region(region: str, signin: str, console: str) -> None:
    assert Site.of(region).federation == f"https://{signin}/federation"
    assert Site.of(region).page("console/home") == f"https://{console}/console/home?region={region}"


@pytest.mark.parametrize("region", ["moon-base-1", "", "us-west-2.evil.example/", "us-iso-east-1", "us-iso-west-1"])
def test_unknown_partition_is_an_error(region: str) -> None:
    with pytest.raises(UsageError, match="partition"):
        Site.of(region)


# -- pages -----------------------------------------------------------------------------------------------------------


def test_pages_of_the_venue() -> None:
    venue = a_venue()
    buckets = ("first-data", "second-data")
    begin = "https://us-west-2.console.aws.amazon.com"
    pages = {
        ("s3", None): f"{begin}/s3/buckets/first-data?region=us-west-2",
        ("s3", "second-data"): f"{begin}/s3/buckets/second-data?region=us-west-2",
        ("ecr", None): f"{begin}/ecr/private-registry/repositories?region=us-west-2",
        ("ecr", f"{venue.ecr_repository_prefixes[0]}a/b"): (
            f"{begin}/ecr/repositories/private/{venue.account_id}/{venue.ecr_repository_prefixes[0]}a/b?region=us-west-2"
        ),
        ("cloudwatch", None): f"{begin}/cloudwatch/home?region=us-west-2",
    }
    for (service, name), page in pages.items():
        assert Page(service, name).url(SITE, venue, buckets) == page


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("s3", "somebody-elses"),
        ("ecr", "elsewhere/a"),
        ("ecr", "unity-dev2/a"),
        ("sqs", "a"),
        ("../x", None),
        ("é", None),
    ],
)
def test_page_of_another_resource_is_refused(service: str, name: str | None) -> None:
    with pytest.raises(UsageError):
        Page(service, name).url(SITE, a_venue(), ("first-data",))


@pytest.mark.parametrize(
    "url",
    [
        "http://console.aws.amazon.com/",
        "https://console.aws.amazon.com.evil.example/",
        "https://evilconsole.aws.amazon.com/",
        "https://console.amazonaws.cn/",
        "https://user@console.aws.amazon.com/",
        "https://evil.example\\@console.aws.amazon.com/",
        "https://console.aws.amazon.com:8443/",
        "https://console.aws.amazon.com/\nx",
        "https://[",
        "javascript:alert(1)",
        "",
    ],
)
def test_destination_outside_the_partitions_console_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not a page of this console"):
        SITE.check_destination(url)


def test_destination_in_the_partitions_console_is_accepted() -> None:
    SITE.check_destination("https://console.aws.amazon.com/s3/home")
    SITE.check_destination("https://us-west-2.console.aws.amazon.com/ecr/x?region=us-west-2#top")


@pytest.mark.parametrize("url", ["", "access.example.org", "javascript:alert(1)", "https://", "https://a b/"])
def test_invalid_issuer_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not a URL"):
        check_issuer(url)


def test_login_url_encodes_each_field_once() -> None:
    wanted = [
        ("Action", "login"),
        ("Issuer", "https://access.example.org/?a=b&c=é"),
        ("Destination", "https://console.aws.amazon.com/s3?a=1&b=2#x"),
        ("SigninToken", "odd+/=&token%20"),
    ]
    url = SITE.login_url(Secret(wanted[3][1]), destination=wanted[2][1], issuer=wanted[1][1])
    parts = urlsplit(url.reveal())
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "us-west-2.signin.aws.amazon.com", "/federation")
    assert parse_qsl(parts.query, strict_parsing=True) == wanted
    assert "token" not in str(url)


# -- durations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "asked"), [(900, 900), (3599.9, 3599), (43_200, 43_200), (129_600, 43_200)])
def test_session_duration_is_what_is_left_of_the_credentials(left: float, asked: int) -> None:
    assert lasting(left).session_duration(NOW) == asked


def test_session_duration_is_omitted_for_credentials_that_may_be_chained() -> None:
    assert lasting(3600, lends=False).session_duration(NOW) is None
    assert ConsoleCredentials(KEYS).session_duration(NOW) is None


@pytest.mark.parametrize("lends", [True, False])
@pytest.mark.parametrize(("left", "said"), [(899.9, "expire in 899 s"), (0, "have expired"), (-60, "have expired")])
def test_credentials_that_expire_in_less_than_900_seconds_are_refused(left: float, said: str, lends: bool) -> None:
    with pytest.raises(UsageError, match=said):
        lasting(left, lends=lends).session_duration(NOW)


def test_summary_gives_both_expirations() -> None:
    made = console_url(lasting(3600), SITE, "https://x", exchange=lambda *a, **k: Secret("t"), now=lambda: NOW)
    assert made.summary().startswith("the URL signs in anyone who opens it for 15 minutes, until 22:30 UTC (")
    assert "; the session until 23:15 UTC (" in made.summary()


# -- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {"Credentials": {**SESSION, "Expiration": "2026-11-20T23:15:00Z"}, "AssumedRoleUser": {}},
        {"Version": 1, **SESSION, "Expiration": "2026-11-21T00:15:00+01:00"},
        {
            "access_key": KEYS.access_key_id,
            "secret_key": "secret/key",
            "session_token": "session+token==",
            "expiration": "2026-11-20T23:15:00Z",
        },
    ],
)
def test_tokens_are_read_in_each_json_format(document: dict[str, object]) -> None:
    assert from_json(Secret(json.dumps(document))) == ConsoleCredentials(KEYS, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "[]",
        '"hunter2"',
        '{"Credentials": "hunter2"}',
        json.dumps({**SESSION, "SecretAccessKey": "hunter2\n"}),
        json.dumps({**SESSION, "SecretAccessKey": 7}),
        json.dumps({**SESSION, "AccessKeyId": "hunter2 hunter2 hunter2"}),
        json.dumps({**SESSION, "SessionToken": "hunter2 é"}),
        json.dumps({**SESSION, "Expiration": "hunter2"}),
        json.dumps({**SESSION, "SessionToken": ""}),
    ],
)
def test_malformed_token_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_json(Secret(text))
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_long_term_keys_in_the_environment_are_refused() -> None:
    with pytest.raises(UsageError, match="long-term credentials cannot sign in"):
        from_environment({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY": "x"})
    with pytest.raises(UsageError, match="no access key ID in the environment"):
        from_environment({})


@pytest.mark.parametrize("who", ["iam::111122223333:user/jbrowne", "iam::111122223333:root"])
def test_users_session_cannot_sign_in(who: str) -> None:
    with pytest.raises(UsageError, match="cannot sign in"):
        check_can_sign_in(CallerIdentity("111122223333", f"arn:aws:{who}"))


@pytest.mark.parametrize("who", ["assumed-role/reader/alice", "federated-user/alice"])
def test_role_and_federated_sessions_can_sign_in(who: str) -> None:
    check_can_sign_in(CallerIdentity("111122223333", f"arn:aws:sts::111122223333:{who}"))


@pytest.mark.parametrize(
    ("variables", "named"),
    [({"emulator": True}, "AWS emulator"), ({"aws_endpoint_url": "https://aws.example.org"}, "aws.example.org")],
)
def test_only_aws_itself_has_a_console(variables: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        check_has_console(a_venue(**variables), {})
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL"):
        check_has_console(None, {"AWS_ENDPOINT_URL": "https://127.0.0.1:4566"})
    check_has_console(a_venue(), {})
