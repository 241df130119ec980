"""A provisioned venue behind a proxy that plays faults: what the tests of AWS's faults share."""

from __future__ import annotations

from typing import Any

from tests.functional.kit import Kit, Result, emulated
from tests.functional.proxy import Proxy
from tests.functional.template import TRUST
from tests.functional.trust import KNOWN, VenueTrust

VENUE = TRUST
COMMANDS = {
    "issue-token": ("--user", "alice"),
    "status": (),
    "verify": (),
    "revoke-token": ("--user", "alice"),
    "rotate-external-id": (),
    "provision": (),
}


def through(name: str, proxy: Proxy, **variables: Any) -> dict[str, Any]:
    return emulated(name, aws_endpoint_url=proxy.url, **variables)


def run(kit: Kit, command: str, *flags: str) -> Result:
    """Run a command; an error of it must be one short message, without an external ID."""
    result = kit(command, *COMMANDS[command], *flags)
    shown = result.out + result.err
    assert "Traceback" not in shown
    assert "va." not in shown  # how the kit's own IDs begin
    assert not any(each in shown for each in KNOWN)
    message = result.err.partition("error: ")[2]
    assert bool(message) is (result.code != 0), result.err
    assert "error: " not in message
    assert len(message) < 600
    return result


def ends_right(guard: VenueTrust, command: str) -> None:
    """Run the command without faults: it succeeds, and the venue is stable."""
    guard.kit.done(command, *COMMANDS[command])
    guard.check_stable()
