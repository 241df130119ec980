"""Stacks of several venues: part of one, a venue that leaves, a venue that moves to another; nothing is destroyed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.kit import Kit, emulated, new_venue
from tests.functional.provisioning import REST, iam_documents, live_ids


@pytest.fixture
def trio(kit: Kit) -> list[str]:
    """Three venues of one stack, provisioned; no test may leave them other than it found them."""
    names = [new_venue() for _ in range(3)]
    write(kit, names)
    made = kit.done("provision", "--limit", "all")
    assert made.out.count("ok=9 changed=6") == 3
    return names


def stack_of(first: str) -> str:
    return f"stack-{first}"


def write(kit: Kit, names: list[str], **variables: Any) -> None:
    kit.write_inventory({name: emulated(name, **{"stack": stack_of(names[0]), **variables}) for name in names})


@pytest.mark.soak
def test_partial_run_leaves_others_and_reports_their_changes(kit: Kit, trio: list[str]) -> None:
    one, other, gone = trio
    before, ids = iam_documents(kit, other), live_ids(kit, *trio)
    write(kit, [one, other], tags={"Team": "ops"}, max_session_duration=7200)
    result = kit.done("provision", "--venue", one)
    assert result.out == f"{one} : ok=9 changed=4 {REST}\n"
    pending = f"{stack_of(one)}: not selected, though the inventory has changed since they were applied: {other} (tags,"
    assert f"{pending} max_session_duration)" in result.err
    assert f"{gone} was removed from the inventory but is still in AWS" in result.err
    assert iam_documents(kit, other) == before
    assert live_ids(kit, *trio) == ids

    whole = kit.done("provision", "--limit", "all", "--allow-destroy")
    assert whole.out.splitlines()[1] == f"{other} : ok=9 changed=4 {REST}"
    assert f"invoke deprovision --venue {gone}" in whole.err
    assert "not selected" not in whole.err
    rotated = kit.done("rotate-external-id", "--venue", one)
    assert rotated.out == f"{one}: the external ID was rotated\n"
    assert live_ids(kit, gone) <= ids, "what left the inventory is as it was"

    assert kit.done("deprovision", "--venue", gone, "--yes").out == f"{gone}: 6 resources destroyed\n"
    assert live_ids(kit, gone) == set()
    again = kit.done("provision", "--limit", "all")
    assert again.out == f"{one} : ok=9 changed=0 {REST}\n{other} : ok=9 changed=0 {REST}\n"
    assert "was removed from the inventory" not in again.err


def test_venue_in_the_state_of_another_stack_is_refused(provisioned_copy: tuple[Kit, str]) -> None:
    kit, venue = provisioned_copy
    kit.write_inventory({venue: emulated(venue, stack="other")})
    refused = kit("provision")
    assert refused.code == 2
    message = f"error: {venue}: the inventory has it in stack other, but it is in the state of stack {venue}\n"
    assert message in refused.err


@pytest.mark.soak
def test_changed_stack_is_refused_with_remedy(kit: Kit, trio: list[str]) -> None:
    mover, shared = trio[0], stack_of(trio[0])
    ids = live_ids(kit, *trio)
    hosts = {name: emulated(name, stack=mover if name == mover else shared) for name in trio}
    kit.write_inventory(hosts)
    refused = kit("provision", "--limit", "all")
    assert refused.code == 2
    message = f"error: {mover}: the inventory has it in stack {mover}, but it is in the state of stack {shared}\n"
    assert message in refused.err
    assert f"warning: {message.removeprefix('error: ').rstrip()}: move it" in refused.err
    assert "was removed from the inventory" not in refused.err
    forget, imported = refused.err.partition(message)[2].splitlines()[0].partition("destroyed: ")[2].split("; then: ")
    kit.done(*forget.split()[1:])
    moved = kit.done(*imported.split()[1:])
    assert moved.out.startswith(f"{mover} : ok=9 ")
    assert live_ids(kit, *trio) == ids
    after = kit.done("provision", "--limit", "all")
    assert after.out.count(f"ok=9 changed=0 {REST}") == 3
    assert "was removed from the inventory" not in after.err
