"""What the functional tests share: an AWS emulator a worker, and a venue that is provisioned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.functional.faulty_venue import VENUE, through
from tests.functional.guard import Guard
from tests.functional.kit import Kit, emulated, hang_up, new_venue
from tests.functional.live_role import Role, provisioned_role
from tests.functional.proxy import Proxy, proxy_before
from venue_access.emulator.server import aws_emulator

TOGETHER = {
    **{name: name for name in ("accounts", "bootstrap", "console", "issue_token", "ledger", "mfa")},
    **{name: name for name in ("scoped_tokens", "permissions", "readme", "revocation", "rotation", "status")},
    **{name: name for name in ("shell_functions", "terraform_module", "killed_rotation")},
    **dict.fromkeys(("verify", "verify_by_hand"), "the role"),
    "proofs": "ledger",
    **dict.fromkeys(("aws_faults", "ledger_faults", "lagging_iam", "clock_and_credentials"), "the faulty venue"),
    "changes_by_hand": "the faulty venue",
}
"""The files whose tests share what takes seconds to make, and which make it together."""


@pytest.fixture(scope="session")
def work_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A work directory whose AWS emulator runs as long as the tests of this worker do."""
    folder = tmp_path_factory.mktemp("work")
    local = aws_emulator(folder)
    local.up()
    yield folder
    hang_up()
    local.down()


@pytest.fixture
def kit(tmp_path: Path, work_directory: Path) -> Kit:
    """The commands, with an inventory of the test's own (``write_inventory``) on the shared AWS emulator."""
    return Kit(tmp_path, work_directory)


@pytest.fixture
def venue(kit: Kit) -> str:
    """A venue of the test's own, not provisioned."""
    name = new_venue()
    kit.write_inventory({name: emulated(name)})
    return name


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> tuple[Kit, str]:
    """A venue that is provisioned, to be looked at and issued from but not changed."""
    kit, name = Kit(tmp_path_factory.mktemp("provisioned"), work_directory), "shared-dev"
    users = {"alice": {"email": "alice@example.org"}, "bob": None}
    kit.write_inventory({name: emulated(name, users=users)})
    kit.done("provision")
    return kit, name


@pytest.fixture(scope="session")
def shared_role(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Role:
    """The role of a provisioned venue, to be changed by hand: take ``role``."""
    return provisioned_role(Kit(tmp_path_factory.mktemp("role"), work_directory))


@pytest.fixture
def role(shared_role: Role) -> Iterator[Role]:
    """The role, put right again after the test."""
    yield shared_role
    shared_role.restore()


@pytest.fixture
def proxy(work_directory: Path) -> Iterator[Proxy]:
    """A proxy before the AWS emulator: a venue goes through it with ``aws_endpoint_url: proxy.url``."""
    with proxy_before(aws_emulator(work_directory).endpoint()) as running:
        yield running


@pytest.fixture(scope="session")
def shared_faulty(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Guard:
    """A provisioned venue for faults: take ``faulty``."""
    return Guard.provisioned(Kit(tmp_path_factory.mktemp("faulty"), work_directory), VENUE)


@pytest.fixture
def faulty(shared_faulty: Guard, proxy: Proxy) -> Iterator[Guard]:
    """The venue in its first state, behind the proxy."""
    shared_faulty.reset()
    shared_faulty.kit.write_inventory({VENUE: through(VENUE, proxy)})
    yield shared_faulty
    proxy.mend()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have one worker run the tests that share something; the others go wherever there is time."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lambda node: TOGETHER.get(Path(node.split("::")[0]).stem.removeprefix("test_"), node)
    return scheduler
