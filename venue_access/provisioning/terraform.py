"""The one door to python-terraform: a stack's root, its plan as frozen data, its failures as ours.

python-terraform builds the command line. It is run here, because the package gives Terraform no environment of its
own, holds back all output until the end, and logs what it runs.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import python_terraform
from python_terraform import IsFlagged

from venue_access.errors import StateLocked, TerraformError, UsageError
from venue_access.provisioning.diagnostics import Diagnostic, failure, overdue
from venue_access.provisioning.process import Process, pause
from venue_access.sensitive import SensitiveStr

Event = Mapping[str, Any]
"""One line of Terraform's ``-json`` output (Terraform documentation, "Machine-Readable UI")."""

PLAN_FILE = "plan.tfplan"
LOCK_TIMEOUT = 60.0
"""Seconds to wait for a lock of the state."""
_LOOK_AGAIN = 3.0
DEADLINE = 1800.0
"""Seconds. Terraform's own calls have none: where AWS takes a call and never answers, it would wait for good."""


@dataclass(frozen=True)
class Change:
    """What Terraform plans for one resource."""

    address: str
    action: str
    """``create``, ``update``, ``delete``, ``replace``, ``import`` or ``forget``."""

    @property
    def destroys(self) -> bool:
        return self.action in ("delete", "replace")


@dataclass(frozen=True)
class Plan:
    """A saved plan: what it would change, and the only thing that ``apply`` takes."""

    file: Path
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def mending(self, tainted: frozenset[str]) -> Plan:
        """This plan as it would be if what is tainted were changed and not made anew."""
        return replace(
            self,
            changes=tuple(
                replace(change, action="update") if change.address in tainted and change.destroys else change
                for change in self.changes
            ),
        )


class Terraform:
    """Terraform in one stack's folder, with one set of AWS keys; for one thread.

    :param program: ``terraform``, or a path; OpenTofu's ``tofu`` may stand in.
    :param environment: returns everything that Terraform sees of the environment, for each run.
    :param venue: one of the stack's, to be named in a remedy.
    :param hide: masked in whatever Terraform says.
    :param told: is handed each event of the ``-json`` stream as it comes.
    :param lock_timeout: seconds to wait for somebody else who holds the state's lock.
    :param waiting: is told once who that is, before the wait.
    """

    def __init__(
        self,
        folder: Path,
        *,
        program: str,
        environment: Callable[[], Mapping[str, str]],
        venue: str,
        hide: Sequence[SensitiveStr] = (),
        told: Callable[[Event], None] = lambda event: None,
        lock_timeout: float = LOCK_TIMEOUT,
        waiting: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._venue = venue
        self._lock_timeout = lock_timeout
        self._waiting = waiting
        self._clock = clock
        self._environment = environment
        self._hide = tuple(hide)
        self._told = told
        self.deadline = DEADLINE
        self._runner = _Runner(working_dir=str(folder), terraform_bin_path=_find(program))

    def init(self) -> None:
        """Install the provider and set up the backend, whatever backend there was before: nothing is moved.

        :raises TerraformError: it cannot; the lock file is never changed for that.
        """
        self._run("init", input=False, lockfile="readonly", reconfigure=IsFlagged, no_color=IsFlagged)

    def plan(self, *, destroy: bool = False, targets: Sequence[str] = ()) -> Plan:
        """Plan, and save the plan in the stack's folder.

        :param targets: addresses that the plan is kept to; empty for the whole root.
        """
        options: dict[str, Any] = {"json": IsFlagged, "input": False, "out": PLAN_FILE}
        if destroy:
            options["destroy"] = IsFlagged
        if targets:
            options["target"] = list(targets)
        changes = []
        for event in self._when_unlocked("plan", **options):
            if event.get("type") == "planned_change":
                change = event["change"]
                action = "replace" if change["action"] == "remove" else change["action"]
                changes.append(Change(change["resource"]["addr"], action))
        return Plan(self.folder / PLAN_FILE, tuple(changes))

    def apply(self, plan: Plan) -> None:
        """Apply a saved plan, and remove it: it holds the external ID.

        :raises TerraformError: AWS refused something, or the state has changed since (a stale plan).
        """
        try:
            self._when_unlocked("apply", plan.file.name, json=IsFlagged, input=False)
        finally:
            plan.file.unlink(missing_ok=True)

    def show(self, plan: Plan) -> dict[str, Any]:
        """A saved plan in full, attribute by attribute; it holds the external ID."""
        lines = self._run("show", plan.file.name, json=IsFlagged, no_color=IsFlagged)
        document: dict[str, Any] = dict(lines[0]) if lines else {}
        return document

    def state(self) -> dict[str, Any]:
        """The state as the backend has it; it holds the external ID."""
        text = self._run_text("state pull", no_color=IsFlagged)
        state: dict[str, Any] = json.loads(text) if text.strip() else {}
        return state

    def untaint(self, address: str) -> None:
        """Take a resource of the state for what it is, though its making was cut short."""
        self._when_unlocked("untaint", address, no_color=IsFlagged)

    def forget(self, address: str) -> None:
        """Take a module's or a resource's objects out of the state; they stay in AWS."""
        self._when_unlocked("state rm", address, no_color=IsFlagged, backup="-")

    def _when_unlocked(self, command: str, *arguments: str, **options: Any) -> list[Event]:
        """Run what takes the state's lock, anew while somebody else holds it: Terraform's own wait says nothing."""
        deadline = self._clock() + self._lock_timeout
        waited = False
        while True:
            try:
                return self._run(command, *arguments, lock_timeout="0s", **options)
            except StateLocked as error:
                left = deadline - self._clock()
                if left <= 0:
                    raise
                if not waited:
                    self._waiting(f"{error.message}; waiting")
                    waited = True
                pause(min(_LOOK_AGAIN, left))

    def _run(self, command: str, *arguments: str, **options: Any) -> list[Event]:
        events: list[Event] = []
        problems: list[Diagnostic] = []
        talk: list[str] = []
        # What init downloads may take its time.
        deadline = None if command == "init" else self.deadline
        with self._runner.started(self._environment(), deadline, command, *arguments, **options) as process:
            for line in process.lines():
                event = _event(line)
                if event is None:
                    talk.append(line)
                    continue
                events.append(event)
                if event.get("type") == "diagnostic":
                    problems.append(Diagnostic.of(event["diagnostic"]))
                self._told(event)
            code = process.wait()
        if code != 0:
            raise self._failure(process, command, code, problems, "".join(talk))
        return events

    def _run_text(self, command: str, **options: Any) -> str:
        with self._runner.started(self._environment(), self.deadline, command, **options) as process:
            text = "".join(process.lines())
            code = process.wait()
        if code != 0:
            raise self._failure(process, command, code, [], text)
        return text

    def _failure(
        self, process: Process, command: str, code: int, problems: Sequence[Diagnostic], talk: str
    ) -> TerraformError:
        stack = self.folder.name
        if process.overdue:
            return overdue(command, self.deadline, stack=stack)
        return failure(command, code, problems, talk, stack=stack, venue=self._venue, hide=self._hide)


class _Runner(python_terraform.Terraform):
    """python-terraform's command lines, without its state reading (it fails on a cut-off state)."""

    def read_state_file(self, file_path: str | None = None) -> None:
        """Nothing: the kit reads the state where it needs it."""

    def started(
        self, environment: Mapping[str, str], deadline: float | None, command: str, *arguments: str, **options: Any
    ) -> Process:
        line = self.generate_cmd_string(command, *arguments, **options)
        return Process(line, self.working_dir, environment, deadline=deadline)


def state_file(folder: Path) -> dict[str, Any] | None:
    """A stack's local state; None where there is none, or where what is there is cut off.

    Terraform writes it in place, so that a kill at the wrong moment leaves a part: it is then set aside, and what
    exists in AWS is imported again.
    """
    path = folder / "terraform.tfstate"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        kept_in(state)
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError):
        state = None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if not isinstance(state, dict):
        path.replace(path.with_name("terraform.tfstate.unreadable"))
        return None
    return state


@dataclass(frozen=True)
class Kept:
    """What a state keeps: the addresses of its managed resources."""

    addresses: frozenset[str] = frozenset()
    tainted: frozenset[str] = frozenset()
    """Those whose making was cut short, which Terraform would destroy and make anew."""


def kept_in(state: Mapping[str, Any]) -> Kept:
    """What is in a state (state format version 4)."""
    found: dict[str, bool] = {}
    for resource in state.get("resources", ()):
        if resource["mode"] != "managed":
            continue
        base = f"{resource['type']}.{resource['name']}"
        if "module" in resource:
            base = f"{resource['module']}.{base}"
        for instance in resource["instances"]:
            key = instance.get("index_key")
            found[base if key is None else f"{base}[{json.dumps(key)}]"] = instance.get("status") == "tainted"
    return Kept(frozenset(found), frozenset(address for address, tainted in found.items() if tainted))


def _event(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"{program} is not on the PATH", hint="set it up with: scripts/bootstrap")
    return found
