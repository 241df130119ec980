"""``invoke issue-token`` with stored and supplied external IDs, durations, and venues that are not provisioned."""

from __future__ import annotations

import pytest

from tests.functional.issuing import refused, same_venue, stored_id
from tests.functional.kit import Kit, emulated
from tests.functional.proxy import Proxy


class TestDuration:
    @pytest.mark.parametrize("duration", ["899", "43201", "-5", ""])
    def test_duration_outside_aws_limits_is_refused_before_the_call(
        self, duration: str, provisioned: tuple[Kit, str]
    ) -> None:
        err = refused(provisioned[0], "--user", "alice", f"--duration={duration}", code=2)
        assert "900 s (15m) to 43200 s (12h)" in err or "write 7d, 24h, 90m, 1h30m or 3600" in err

    @pytest.mark.parametrize("duration", ["3601", "1h30m"])
    def test_role_session_error_explains_role_chaining(
        self, duration: str, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy
    ) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        err = refused(kit, "--user", "alice", "--duration", duration, code=2)
        assert "at 3600 s (role chaining)" in err
        assert proxy.calls == ["AssumeRole", "GetCallerIdentity"]  # the first is the emulator's operator's own


class TestExternalId:
    def test_supplied_id_takes_one_call(self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        supplied = stored_id(*provisioned)
        kit.done("issue-token", "--user", "alice", "--external-id", supplied)
        assert proxy.calls == ["AssumeRole", "AssumeRole"]  # the first is the emulator's operator's own

    def test_stored_id_takes_one_more_call(self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        kit.done("issue-token", "--user", "alice")
        assert proxy.calls == ["AssumeRole", "GetParameter", "AssumeRole"]

    @pytest.mark.parametrize("end", ["\r\n", ""])
    def test_hyphen_reads_standard_input(self, end: str, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        result = kit("issue-token", "--user", "alice", "--external-id", "-", typed=stored_id(kit, venue) + end)
        assert result.code == 0, result.err

    @pytest.mark.parametrize("given", ["no-such-id", "va." + "x" * 40])
    def test_wrong_id_error_hides_stored_id(self, given: str, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        err = refused(kit, "--user", "alice", "--external-id", given, code=5)
        assert "the external ID that was supplied does not match" in err
        assert stored_id(kit, venue) not in err
        assert given not in err

    @pytest.mark.parametrize("given", ["with space", "x" * 1225, "ümlaut"])
    def test_malformed_id_is_refused_before_the_call(self, given: str, provisioned: tuple[Kit, str]) -> None:
        err = refused(provisioned[0], "--user", "alice", "--external-id", "-", typed=f"{given}\n", code=2)
        assert "is not one that AWS accepts" in err
        assert len(given) < 3 or given not in err

    def test_empty_standard_input_is_malformed(self, provisioned: tuple[Kit, str]) -> None:
        assert "(0 characters)" in refused(provisioned[0], "--user", "alice", "--external-id", "-", code=2)

    def test_id_of_another_venue_is_refused(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        refused(kit, "--user", "alice", "--external-id", stored_id(kit, "scope-one"), code=5)


class TestVenue:
    def test_unprovisioned_venue_is_reported_with_remedy(self, kit: Kit, venue: str) -> None:
        err = refused(kit, "--user", "alice", code=2)
        assert f"{venue} is not provisioned" in err
        assert f"invoke provision --venue {venue}" in err

    def test_deleted_role_is_reported(self, kit: Kit) -> None:
        venue = "deleted-dev"
        kit.write_inventory({venue: emulated(venue)})
        role, root = f"unity-{venue}-sts", kit.root()
        for policy in root.attached_policies(role):
            root.call("iam", "detach_role_policy", RoleName=role, PolicyArn=policy)
        supplied = stored_id(kit, venue)
        root.call("iam", "delete_role", RoleName=role)
        err = refused(kit, "--user", "alice", "--external-id", supplied, code=5)
        assert f"the role of {venue}" in err
        assert supplied not in err
