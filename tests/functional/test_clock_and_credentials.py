"""A skewed clock, and credentials that expire while a command runs."""

from __future__ import annotations

import pytest

from tests.functional.faults import Fault, always
from tests.functional.faulty_venue import COMMANDS, ends_right, run, through
from tests.functional.kit import Kit
from tests.functional.proxy import Proxy
from tests.functional.trust import VenueTrust


class TestClock:
    @pytest.mark.parametrize(
        "command",
        [each if each == "status" else pytest.param(each, marks=pytest.mark.soak) for each in COMMANDS],
    )
    def test_skewed_clock_is_named(self, faulty: VenueTrust, proxy: Proxy, command: str) -> None:
        proxy.fault_of = always(Fault.SKEWED)
        result = run(faulty.kit, command)
        assert result.code == 5
        assert "error: this machine's clock is off by more than AWS allows\n  set this machine's clock" in result.err

    @pytest.mark.soak
    def test_terraform_error_names_skewed_clock(self, kit: Kit, venue: str, proxy: Proxy) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        proxy.fault_of = always(Fault.SKEWED, "CreateRole")
        result = run(kit, "provision")
        assert result.code == 4
        assert "  set this machine's clock, and run the command again" in result.err
        proxy.clear_faults()
        ends_right(VenueTrust(kit, venue), "provision")


def expire(proxy: Proxy, operation: str) -> None:
    """Let the credentials expire when an operation is first called."""
    expired: list[str] = []

    def fault_of(called: str) -> Fault | None:
        if called == operation:
            expired.append(called)
        return Fault.EXPIRED if expired else None

    proxy.fault_of = fault_of


@pytest.mark.soak
class TestExpiringCredentials:
    @pytest.mark.parametrize(
        ("operation", "code"),
        [
            ("AttachRolePolicy", 4),
            ("CreateRole", 4),
            ("GetPolicyVersion", 4),
            ("GetParameter", 5),
        ],
    )
    def test_provision_names_the_remedy_and_the_next_run_completes(
        self, kit: Kit, venue: str, proxy: Proxy, operation: str, code: int
    ) -> None:
        kit.write_inventory({venue: through(venue, proxy)})
        expire(proxy, operation)
        result = run(kit, "provision")
        assert result.code == code, result.err
        assert "  get new credentials from your account portal, export them, and run the command again" in result.err
        proxy.clear_faults()
        ends_right(VenueTrust(kit, venue), "provision")

    @pytest.mark.parametrize(("operation", "code"), [("UpdateAssumeRolePolicy", 4), ("PutParameter", 5)])
    def test_rotation_names_the_remedy_and_the_next_run_resumes(
        self, faulty: VenueTrust, proxy: Proxy, operation: str, code: int
    ) -> None:
        expire(proxy, operation)
        result = run(faulty.kit, "rotate-external-id")
        assert result.code == code, result.err
        assert "get new credentials from your account portal" in result.err
        assert "tokens can be issued as before" in result.err
        proxy.clear_faults()
        faulty.kit.done("issue-token", "--user", "alice")
        ends_right(faulty, "rotate-external-id")
