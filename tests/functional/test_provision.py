"""``invoke provision`` with the real Terraform and provider, on the embedded AWS."""

from __future__ import annotations

import json

from tests.functional.kit import Kit, embedded
from tests.functional.proxy import Proxy

COLUMNS = "unreachable=0 failed=0 skipped=0 rescued=0 ignored=0"


def test_a_fresh_venue_is_made_and_a_second_run_changes_nothing_and_writes_nothing(
    kit: Kit, venue: str, proxy: Proxy
) -> None:
    kit.write_inventory({venue: embedded(venue, aws_endpoint_url=proxy.url)})

    first = kit.done("provision", "--venue", venue)
    assert first.out == f"{venue} : ok=9 changed=6 {COLUMNS}\n"
    state = kit.work_directory / "stacks" / venue / "terraform.tfstate"
    serial = json.loads(state.read_text())["serial"]
    writes = len(proxy.writes)

    second = kit.done("provision", "--venue", venue)
    assert second.out == f"{venue} : ok=9 changed=0 {COLUMNS}\n"
    assert len(proxy.writes) == writes
    assert json.loads(state.read_text())["serial"] == serial
