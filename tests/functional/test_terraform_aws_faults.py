"""Terraform when AWS does not respond or fails at random."""

from __future__ import annotations

import pytest

from tests.functional.faults import Fault, always, at_random
from tests.functional.faulty_venue import COMMANDS, ends_right, run, through
from tests.functional.kit import Kit
from tests.functional.processes import left_in
from tests.functional.proxy import Proxy
from tests.functional.test_terraform_faults import the_root
from tests.functional.trust import VenueTrust
from venue_access.errors import TerraformError


@pytest.mark.soak
@pytest.mark.parametrize("operation", ["CreatePolicy", "GetCallerIdentity"])
def test_terraform_without_a_response_is_stopped(kit: Kit, venue: str, proxy: Proxy, operation: str) -> None:
    kit.write_inventory({venue: through(venue, proxy)})
    kit.done("provision", "--check")
    root = the_root(kit, venue)
    terraform = root.terraform()
    plan = terraform.plan()
    proxy.slowness = 600.0
    proxy.fault_of = always(Fault.SLOW, operation)
    terraform.deadline = 6.0
    with pytest.raises(TerraformError, match="terraform apply was not done after 0 minutes, and was stopped"):
        terraform.apply(plan)
    assert left_in(root.folder) == {}
    proxy.clear_faults()
    ends_right(VenueTrust(kit, venue), "provision")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 7))
def test_random_faults_end_in_success_or_an_error(kit: Kit, venue: str, proxy: Proxy, seed: int) -> None:
    guard = VenueTrust(kit, venue)
    proxy.slowness = 1.0
    kit.write_inventory({venue: through(venue, proxy)})
    proxy.fault_of = at_random(seed, 0.1)
    codes = []
    for _ in range(5):  # Terraform has some thirty calls to get through, and does not survive each fault
        codes.append(run(kit, "provision").code)
        if codes[-1] == 0:
            break
    assert set(codes) <= {0, 4, 5}
    proxy.clear_faults()
    ends_right(guard, "provision")
    kit.write_inventory({venue: through(venue, proxy, tags={"Team": "ops"})})
    proxy.fault_of = at_random(seed + 100, 0.1)
    for command in ("provision", *COMMANDS):
        assert run(kit, command).code in (0, 4, 5), command
    proxy.clear_faults()
    ends_right(guard, "rotate-external-id")
    ends_right(guard, "provision")
