"""IAM that is eventually consistent: rotation and verification wait for it."""

from __future__ import annotations

import time

import pytest

from tests.functional.faulty_venue import VENUE, ends_right, run, through
from tests.functional.kit import Kit
from tests.functional.lagging_iam import LaggingIam
from tests.functional.provisioning import REST
from tests.functional.proxy import Proxy
from tests.functional.trust import FIRST, VenueTrust


@pytest.mark.soak
@pytest.mark.parametrize("reads_lag", [False, True])
def test_rotation_waits_for_iam_and_tokens_can_be_issued_meanwhile(
    faulty: VenueTrust, proxy: Proxy, reads_lag: bool
) -> None:
    proxy.lagging = LaggingIam(2.0, reads_lag=reads_lag)
    with faulty.kit.start("rotate-external-id") as process:
        issued = []
        while process.poll() is None:
            issued.append(run(faulty.kit, "issue-token").code)
            time.sleep(1.0)  # leaves the processor to Terraform
        out, err = process.communicate()
    assert (process.returncode, out) == (0, f"{VENUE}: the external ID was rotated\n"), err
    assert "verified that the old one, a wrong one and none are refused" in err
    assert len(issued) > 2
    assert not any(issued)
    proxy.lagging.wait_until_effective()
    faulty.check_stable(FIRST)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_new_venue_is_verified_once_iam_is_consistent(kit: Kit, venue: str, proxy: Proxy, seconds: float) -> None:
    kit.write_inventory({venue: through(venue, proxy)})
    proxy.lagging = LaggingIam(seconds)
    began = time.monotonic()
    assert run(kit, "provision").out == f"{venue} : ok=9 changed=6 {REST}\n"
    assert time.monotonic() - began > seconds
    VenueTrust(kit, venue).check_stable()


@pytest.mark.soak
def test_rotation_waits_a_minute_for_iam(faulty: VenueTrust, proxy: Proxy) -> None:
    proxy.lagging = LaggingIam(60.0)
    assert run(faulty.kit, "rotate-external-id").code == 0
    proxy.lagging.wait_until_effective()
    faulty.check_stable(FIRST)


@pytest.mark.soak  # three minutes: AWS is given two
def test_rotation_keeps_the_old_id_if_iam_takes_too_long(faulty: VenueTrust, proxy: Proxy) -> None:
    proxy.lagging = LaggingIam(150.0)
    result = run(faulty.kit, "rotate-external-id")
    assert result.code == 5
    assert "the role does not accept the new external ID after 120 s; the one in use stays in use" in result.err
    assert faulty.published() == FIRST
    proxy.lagging.wait_until_effective()
    proxy.lagging = None
    ends_right(faulty, "rotate-external-id")
