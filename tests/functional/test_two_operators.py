"""Two operators with a work directory each, and one state in S3: whoever works when, the venue ends with one ID."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import Kit, Result, new_venue
from tests.functional.operators import operator, remote
from tests.functional.provisioning import REST
from tests.functional.proxy import Proxy
from tests.functional.trust import VenueTrust

TOLD_TO_RUN_AGAIN = (
    "run the command again",
    "the Terraform state is locked by",
    "differs from the inventory in more than its external ID",
)
"""What an operator may be told whom another one was faster than."""


@dataclass(frozen=True)
class Two:
    """Two operators of one venue, and the venue as root sees it."""

    ana: Kit
    ben: Kit
    trust: VenueTrust
    proxy: Proxy

    @classmethod
    def of(cls, kit: Kit, proxy: Proxy, folder: Path, name: str) -> Two:
        state = {"backend": "s3", "bucket": f"{name}-state"}
        ana, ben = (operator(kit, proxy, folder / who, folder / f"{who}-work", name, state=state) for who in "ab")
        return cls(ana, ben, VenueTrust(kit, name), proxy)

    @property
    def venue(self) -> str:
        return self.trust.venue

    def want(self, kit: Kit, **variables: Any) -> None:
        """Change an operator's inventory."""
        state = {"backend": "s3", "bucket": f"{self.venue}-state"}
        kit.write_inventory({self.venue: remote(self.venue, self.proxy, state=state, **variables)})

    def tags(self) -> dict[str, str]:
        found = self.trust.root.call("iam", "list_role_tags", RoleName=self.trust.role)["Tags"]
        return {each["Key"]: each["Value"] for each in found}


def until_done(kit: Kit, *arguments: str) -> Result:
    """Run a command, again and again where it says to; it is told nothing worse."""
    for _ in range(5):
        result = kit(*arguments)
        assert "Traceback" not in result.err
        if result.code == 0:
            return result
        assert any(told in result.err for told in TOLD_TO_RUN_AGAIN), result.err
    raise AssertionError(f"{arguments}: told five times to run it again")


def side_by_side(*works: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [each.result() for each in [pool.submit(work) for work in works]]


@pytest.fixture
def two(kit: Kit, proxy: Proxy, tmp_path: Path) -> Two:
    """A venue that one of them has provisioned."""
    made = Two.of(kit, proxy, tmp_path, new_venue())
    made.ana.done("provision")
    return made


@pytest.mark.soak
def test_second_operator_changes_nothing(two: Two) -> None:
    second = two.ben.done("provision")
    assert second.out == f"{two.venue} : ok=9 changed=0 {REST}\n"
    assert "importing" not in second.err


@pytest.mark.soak
def test_concurrent_runs_succeed(two: Two) -> None:
    published = two.trust.published()
    for kit in (two.ana, two.ben):
        two.want(kit, tags={"Team": "both"})
    side_by_side(*(lambda kit=kit: until_done(kit, "provision") for kit in (two.ana, two.ben)))
    assert two.tags()["Team"] == "both"
    assert two.trust.published() == published
    assert two.trust.accepted() == {"Current": published}
    two.ana.done("issue-token", "--user", "alice")


@pytest.mark.soak
def test_concurrent_first_runs_create_one_venue(kit: Kit, proxy: Proxy, tmp_path: Path) -> None:
    two = Two.of(kit, proxy, tmp_path, new_venue())
    side_by_side(*(lambda kit=kit: until_done(kit, "provision") for kit in (two.ana, two.ben)))
    two.trust.check_stable()
    for each in (two.ana, two.ben):
        assert each.done("provision").out == f"{two.venue} : ok=9 changed=0 {REST}\n"


@pytest.mark.soak
def test_another_operator_finishes_rotation_and_deprovisions(two: Two) -> None:
    old = two.trust.published()
    assert old is not None
    two.ana.done("rotate-external-id", "--grace", "24h")
    assert set(two.trust.accepted()) == {"Current", "Pending"}
    assert "rotation in progress" in two.ben.done("status").out
    two.ben.done("rotate-external-id", "--finish")
    two.trust.check_stable(old)
    assert two.ana.done("provision").out == f"{two.venue} : ok=9 changed=0 {REST}\n"

    two.ben.done("deprovision", "--venue", two.venue, "--yes")
    assert two.trust.root.role(two.trust.role) is None
    assert two.trust.published() is None
    assert "not provisioned" in two.ana.done("status").out
    two.ana.done("provision")
    two.trust.check_stable(old)


@pytest.mark.soak
def test_concurrent_rotation_and_provision_keep_tokens_working(two: Two) -> None:
    done, old = threading.Event(), two.trust.published()
    assert old is not None

    def issuing() -> int:
        count = 0
        while not done.is_set():
            token = json.loads(two.ana.done("issue-token", "--user", "alice").out)
            session = two.trust.kit.session(token)
            session.call("s3", "put_object", Bucket=f"{two.venue}-data", Key=str(count), Body=b"used")
            count += 1
        return count

    def rotating() -> None:
        for _ in range(2):
            until_done(two.ana, "rotate-external-id")

    def provisioning() -> None:
        for number in range(2):
            two.want(two.ben, tags={"Run": str(number)})
            until_done(two.ben, "provision")
            two.want(two.ana, tags={"Run": str(number)})

    with ThreadPoolExecutor(1) as pool:
        issued = pool.submit(issuing)
        try:
            side_by_side(rotating, provisioning)
        finally:
            done.set()
        assert issued.result() > 5
    two.trust.check_stable(old)
    assert two.tags()["Run"] == "1"


@pytest.mark.soak
def test_second_operator_waits_or_sees_who_holds_the_lock(two: Two) -> None:
    """The first is held in its apply while the second begins."""
    two.want(two.ana, tags={"Team": "ana"})
    held, go_on = threading.Event(), threading.Event()

    def hold(operation: str) -> None:
        if operation == "TagRole":
            held.set()
            go_on.wait(60)

    two.proxy.before_call = hold
    with two.ana.start("provision") as first:
        assert held.wait(60)
        two.proxy.before_call = lambda operation: None
        with two.ben.start("provision") as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(8)  # it waits for the other's lock
            go_on.set()
            out, err = first.communicate(timeout=120)
            assert first.returncode == 0, out + err
            assert second.wait(120) in (0, 4)
    until_done(two.ana, "provision")
    two.trust.check_stable()
