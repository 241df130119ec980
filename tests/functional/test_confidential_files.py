"""Each file with an external ID that the kit or Terraform leaves, also where something goes wrong, is documented."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from tests.functional.kit import CHECKOUT, Kit, emulated
from tests.functional.provisioning import live_ids
from tests.functional.proxy import Proxy
from tests.functional.test_readme import documented, pattern
from venue_access.config import Settings
from venue_access.doctor.checks import files
from venue_access.provisioning.state import state_file


def holders(folder: Path, external_id: str) -> set[Path]:
    """The files of a folder that an external ID is in."""
    return {path for path in folder.rglob("*") if path.is_file() and external_id.encode() in path.read_bytes()}


@pytest.mark.soak
def test_confidential_files_are_documented_private_and_checked(kit: Kit, venue: str, proxy: Proxy) -> None:
    kit.done("provision")
    (external_id,) = live_ids(kit, venue)
    folder = kit.work_directory / "stacks" / venue
    state = folder / "terraform.tfstate"
    whole = state.read_text()
    (folder / ".external_ids.auto.tfvars.json.0a1b2c3d").write_text(external_id)  # a kill before it is renamed
    (folder / ".external_ids.auto.tfvars.json.0a1b2c3d").chmod(0o600)
    shared = {"state": {"backend": "s3", "bucket": f"{venue}-state"}, "aws_endpoint_url": proxy.url}
    kit.write_inventory({venue: emulated(venue, **shared)})
    kit.done("state.migrate")
    state.write_text(whole[:-2])  # as a kill in the middle of a write leaves it
    state.chmod(0o600)
    assert state_file(folder) is None
    left = holders(folder, external_id)
    assert {path.name for path in left} == {
        *("external_ids.auto.tfvars.json", ".external_ids.auto.tfvars.json.0a1b2c3d"),
        *("moved.terraform.tfstate", "terraform.tfstate.unreadable"),
    }

    def refuse_the_state(number: int, operation: str) -> None:
        if operation == "TagRole":
            proxy.refusals["S3:PUT"] = ("AccessDenied", "not you")

    proxy.after_write = refuse_the_state
    kit.write_inventory({venue: emulated(venue, tags={"Owner": "platform"}, **shared)})
    failed = kit("provision")
    proxy.clear_faults()
    assert failed.code == 4
    assert external_id not in failed.err
    left |= holders(folder, external_id)
    assert folder / "errored.tfstate" in left
    assert not (folder / ".external_ids.auto.tfvars.json.0a1b2c3d").exists()  # the next run removes it
    left = {path for path in left if path.exists()}

    texts = {re.compile(pattern(path)): text for path, text in documented(column=1).items()}
    settings = Settings(kit.inventory, kit.work_directory, CHECKOUT)
    for path in left:
        name = str(path.relative_to(kit.work_directory))
        assert any(each.fullmatch(name) and "external ID" in text for each, text in texts.items()), name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, name
        path.chmod(0o644)
        assert any(str(path) in check.found for check in files(settings, {}, kit.folder)), name
        path.chmod(0o600)
    kit.done("provision")  # what the state missed is there, and nothing is made twice
