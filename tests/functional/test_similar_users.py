"""A name that is one slip away from a known user's is refused, by whatever takes a user."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.kit import Kit
from tests.functional.ledgers import alone, through
from tests.functional.proxy import Proxy

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


@pytest.fixture
def kit(provisioned: tuple[Kit, str], proxy: Proxy, tmp_path: Path) -> Kit:
    """The provisioned venue, which lists alice and bob, through a proxy and with an empty ledger."""
    return through(proxy, alone(provisioned, tmp_path))


@pytest.mark.parametrize(
    "command",
    [("issue-token",), ("external-id.send", "--recipient", AGE), ("account.profile", "--profile-name", "other")],
)
def test_similar_user_is_refused_unless_yes(command: tuple[str, ...], kit: Kit, proxy: Proxy) -> None:
    kit.environment["AWS_CONFIG_FILE"] = str(kit.folder / "config")
    result = kit(*command, "--user", "bbo")
    assert (result.code, result.out, proxy.calls) == (2, "", [])
    assert (
        "shared-dev: unknown user 'bbo' (did you mean 'bob'?)\n  if 'bbo' is the right name, pass --yes" in result.err
    )
    kit.done(*command, "--user", "bbo", "--yes")


def test_credential_process_refuses_similar_user(kit: Kit, proxy: Proxy) -> None:
    program = [str(Path(sys.executable).with_name("venue-access-credentials")), "--venue", "shared-dev", "--user"]

    def ask(*more: str) -> subprocess.CompletedProcess[str]:
        environment = {**kit.environment, "XDG_CACHE_HOME": str(kit.folder / "cache")}
        return subprocess.run([*program, *more], env=environment, capture_output=True, text=True, check=False)

    refused = ask("bbo")
    assert (refused.returncode, refused.stdout, proxy.calls) == (2, "", [])
    assert "(did you mean 'bob'?)" in refused.stderr
    assert ask("bbo", "--yes").returncode == 0
