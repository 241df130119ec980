"""Fixtures of the functional tests: provisioned venues, and one AWS emulator for each worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.functional.faulty_venue import through
from tests.functional.kit import Kit, emulated, hang_up, new_venue
from tests.functional.live_role import Role, provisioned_role
from tests.functional.proxy import Proxy, proxy_before
from tests.functional.template import SHARED, SHARED_VARIABLES, TRUST, copy_template, kill_emulator, make_template
from tests.functional.trust import VenueTrust
from venue_access.emulator.server import aws_emulator

TOGETHER = {
    **{name: name for name in ("accounts", "bootstrap", "console", "issue_token", "ledger", "mfa", "permissions")},
    **{name: name for name in ("readme", "scoped_tokens", "shell_functions", "status", "terraform_module")},
    **dict.fromkeys(("verify", "verify_by_hand"), "the role"),
    **dict.fromkeys(("ledger_tampering", "proofs"), "ledger"),
    **dict.fromkeys(("aws_faults", "ledger_faults", "lagging_iam", "clock_and_credentials"), "the faulty venue"),
    "changes_by_hand": "the faulty venue",
}
"""The files whose tests share a module's fixture, and the group that one worker runs."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work directory with provisioned venues, to copy. All workers of a run share it."""
    folder = tmp_path_factory.getbasetemp()
    return make_template(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def work_directory(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Path]:
    """A copy of the template whose AWS emulator runs as long as this worker's tests."""
    folder = tmp_path_factory.mktemp("shared") / "work"
    copy_template(template, folder)
    yield folder
    hang_up()
    aws_emulator(folder).down()


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
    """A provisioned venue that tests read and issue tokens for, but do not change."""
    kit = Kit(tmp_path_factory.mktemp("provisioned"), work_directory)
    kit.write_inventory({SHARED: emulated(SHARED, **SHARED_VARIABLES)})
    return kit, SHARED


@pytest.fixture
def provisioned_copy(tmp_path: Path, template: Path) -> Iterator[tuple[Kit, str]]:
    """A provisioned venue of one test, which may change and destroy it, on an AWS emulator of that test."""
    kit = Kit(tmp_path, tmp_path / "copy")
    copy_template(template, kit.work_directory)
    kit.write_inventory({SHARED: emulated(SHARED, **SHARED_VARIABLES)})
    yield kit, SHARED
    kill_emulator(kit.work_directory)


@pytest.fixture(scope="session")
def shared_trust(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> VenueTrust:
    """The venue whose trust policy tests change: use ``trust``."""
    return VenueTrust.provisioned(Kit(tmp_path_factory.mktemp("trust"), work_directory), TRUST)


@pytest.fixture
def trust(shared_trust: VenueTrust) -> VenueTrust:
    """A provisioned venue in its first state: stable, with an external ID that the test knows."""
    shared_trust.reset()
    return shared_trust


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
def proxy_of_copy(provisioned_copy: tuple[Kit, str]) -> Iterator[Proxy]:
    """A proxy before the AWS emulator of ``provisioned_copy``."""
    with proxy_before(aws_emulator(provisioned_copy[0].work_directory).endpoint()) as running:
        yield running


@pytest.fixture
def proxy(work_directory: Path) -> Iterator[Proxy]:
    """A proxy before the AWS emulator: a venue goes through it with ``aws_endpoint_url: proxy.url``."""
    with proxy_before(aws_emulator(work_directory).endpoint()) as running:
        yield running


@pytest.fixture
def faulty(shared_trust: VenueTrust, proxy: Proxy) -> Iterator[VenueTrust]:
    """The venue in its first state, behind the proxy."""
    shared_trust.reset()
    shared_trust.kit.write_inventory({TRUST: through(TRUST, proxy)})
    yield shared_trust
    proxy.clear_faults()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have one worker run the tests that share something; the others go wherever there is time."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lambda node: TOGETHER.get(Path(node.split("::")[0]).stem.removeprefix("test_"), node)
    return scheduler
