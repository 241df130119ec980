"""The doctor: a sound setup, and one fault after another."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, emulated
from tests.functional.proxy import Proxy
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.model import emulator_operator_arn


def checks(kit: Kit, *arguments: str, code: int, **environment: str) -> dict[str, list[dict[str, Any]]]:
    """Return the checks by what was checked."""
    result = kit("doctor", "--json", *arguments, typed="", timeout=60, **environment)
    assert result.code == code, result.out + result.err
    assert "Traceback" not in result.err
    found: dict[str, list[dict[str, Any]]] = {}
    for check in result.document()["checks"]:
        assert (check["remedy"] is None) <= (check["level"] != "error" or check["what"] in ("inventory", "files"))
        found.setdefault(check["what"].partition(" (")[0], []).append(check)
    return found


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def as_if_real(kit: Kit, url: str, **variables: Any) -> dict[str, Any]:
    """Return a venue that is on AWS as far as the kit knows."""
    made = emulated("issuer-dev", **variables)
    kit.write_inventory({"issuer-dev": made})
    kit.done("local.up")
    del made["emulator"]
    return {**made, "aws_endpoint_url": url, "trusted_principals": [f"arn:aws:iam::{ACCOUNT}:root"]}


def operator(kit: Kit, account: str = ACCOUNT) -> dict[str, str]:
    ca_file = str(aws_emulator(kit.work_directory).endpoint().ca_file)
    keys = kit.root(account).assume_role(emulator_operator_arn(account), "operator").credentials
    return {"AWS_CA_BUNDLE": ca_file, **keys.environment()}


def test_each_check_of_a_sound_setup_is_ok(kit: Kit, venue: str, home: dict[str, str]) -> None:
    kit.done("local.up")
    found = checks(kit, code=0, **home)
    assert {each["level"] for several in found.values() for each in several} == {"ok"}
    assert list(found) == [
        *("Python", "Terraform", "AWS provider", "inventory", f"credentials for {ACCOUNT}"),
        *("clock", "AWS emulator", "files"),
    ]
    assert emulator_operator_arn(ACCOUNT).rpartition("/")[2] in found[f"credentials for {ACCOUNT}"][0]["found"]
    lines = kit.done("doctor", **home).out.splitlines()
    assert all(line.startswith("ok       ") for line in lines)


def test_credentials_are_shown_with_their_owner_and_expiry(kit: Kit, home: dict[str, str]) -> None:
    endpoint = aws_emulator(kit.work_directory).endpoint()
    kit.write_inventory({"issuer-dev": as_if_real(kit, endpoint.url)})
    ends = {"AWS_CREDENTIAL_EXPIRATION": "2031-01-02T03:04:05Z"}
    given = operator(kit)
    (own,) = checks(kit, code=0, **home, **given, **ends)[f"credentials for {ACCOUNT}"]
    assert own["found"].endswith("until 2031-01-02 03:04 UTC")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300))
    for expiration, code, grade in ((soon, 0, "warning"), ("2020-01-01T00:00:00Z", 7, "error")):
        (own,) = checks(kit, code=code, **home, **given, AWS_CREDENTIAL_EXPIRATION=expiration)[
            f"credentials for {ACCOUNT}"
        ]
        assert own["level"] == grade
    assert own["found"] == "your AWS credentials have expired"
    other = emulated("other-dev", account_id=OTHER_ACCOUNT)
    there = Kit(kit.folder, kit.work_directory)
    there.inventory = kit.folder / "there.yml"
    there.environment["INVOKE_INVENTORY"] = str(there.inventory)
    there.write_inventory({"other-dev": other})
    there.done("local.up")
    (wrong,) = checks(kit, code=7, **home, **operator(kit, OTHER_ACCOUNT))[f"credentials for {ACCOUNT}"]
    assert (wrong["level"], OTHER_ACCOUNT in wrong["found"]) == ("error", True)
    result = kit("doctor", typed="", timeout=60, **home, **given)
    assert not [value for name, value in given.items() if "SECRET" in name and value in result.out + result.err]
    assert given["AWS_SESSION_TOKEN"] not in result.out + result.err


def test_clock_is_checked_without_credentials_too(kit: Kit, proxy: Proxy, home: dict[str, str]) -> None:
    kit.write_inventory({"issuer-dev": as_if_real(kit, proxy.url)})
    proxy.late = 600
    found = checks(kit, code=7, **home)
    (clock,) = found["clock"]
    assert clock["level"] == "error"
    assert clock["found"].endswith(" s fast; AWS refuses requests")
    (keys,) = found[f"credentials for {ACCOUNT}"]
    assert keys["found"] == "no AWS credentials found"


def test_failed_check_does_not_stop_the_others(kit: Kit, home: dict[str, str]) -> None:
    kit.inventory.write_text("all: {hosts: {issuer-dev: {account_id: 12, region: nowhere}}}\n", encoding="utf-8")
    found = checks(kit, code=7, INVOKE_TERRAFORM="not-there", **home)
    assert found["Terraform"][0]["found"] == "not-there is not on the PATH"
    assert len(found["inventory"]) > 1
    assert {each["level"] for each in found["inventory"]} == {"error"}
    assert found["Python"][0]["level"] == "ok"


def test_world_readable_files_are_reported_with_remedy(kit: Kit, venue: str, home: dict[str, str]) -> None:
    cache = Path(home["XDG_CACHE_HOME"]) / "venue-access"
    cache.mkdir(parents=True, mode=0o755)
    credentials = Path(home["HOME"]) / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.touch(mode=0o644)
    own = {**home, "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    found = checks(kit, code=7, **own)["files"]
    assert [each["remedy"] for each in found] == [
        f"restrict it: chmod 700 {cache}",
        f"restrict it: chmod 600 {credentials}",
    ]


def test_unknown_venue_is_a_usage_error_and_missing_key_a_failed_check(
    kit: Kit, venue: str, home: dict[str, str]
) -> None:
    for flags in (("--venue", "typo"), ("--limit", "typo"), ("--venue", venue, "--limit", "all")):
        result = kit("doctor", "--json", *flags, typed="", timeout=60, **home)
        assert (result.code, result.out) == (2, ""), flags
        assert "Traceback" not in result.err
    kit.write_inventory({venue: emulated(venue, users={"alice": {"keys": ["alice.pub"]}})})
    (key,) = checks(kit, code=7, **home)["keys of alice"]
    assert (key["level"], "alice.pub" in key["found"]) == ("error", True)
