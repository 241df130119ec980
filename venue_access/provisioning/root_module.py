"""A stack's Terraform root on disk: its files, its lock, its environment, its state."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import locked, private_directory, write_private_if_changed
from venue_access.inventory.model import Venue
from venue_access.policies.compare import external_ids_in
from venue_access.policies.documents import PENDING, ExternalIds, managed_policies, parse_policy
from venue_access.provisioning.cli_config import (
    cli_config_environment,
    installs_from_the_registry,
    terraform_environment,
    terraform_program,
)
from venue_access.provisioning.process import FINISHING, pause
from venue_access.provisioning.render import (
    DATA_FILE,
    EXTERNAL_IDS_FILE,
    Import,
    OrphanedVenue,
    Rendering,
    render,
    venue_data,
)
from venue_access.provisioning.results import Event, venue_of
from venue_access.provisioning.stack import Stack, StateLocation
from venue_access.provisioning.stack_folder import (
    InitCache,
    check_folder,
    check_state,
    forget_init,
    forget_note,
    is_initialised,
    location_of_state,
    note_location,
    record_account,
)
from venue_access.provisioning.terraform import DEADLINE, LOCK_TIMEOUT, PLAN_FILE, Terraform, resources_in, state_file
from venue_access.provisioning.venue_checks import with_known_boundaries
from venue_access.provisioning.venue_snapshot import new_external_id
from venue_access.sensitive import ExternalId, SensitiveStr

_AS_LONG_AS_A_RUN = DEADLINE + FINISHING
"""Seconds that the keys which Terraform is given must last."""
_OTHER_RUN = 600.0  # seconds: another run on the same stack may have several plans to make
_UNKNOWN = ("not-known",)  # buckets, in a stand-in
_READ_BY_TERRAFORM = [
    folder + ending
    for folder in ("", "modules/venue_access/")
    for ending in ("*.tf", "*.tf.json", "*.tofu*", "*.tfvars*", ".*.tfvars.json.*")
]
"""What would be part of the root though the rendering does not have it: an earlier rendering's, or anybody's."""


class RootModule:
    """The folder of one stack's root, and Terraform in it.

    :param on_event: receives Terraform's events while it runs.
    :param waiting: receives the reason for a wait: another run on this machine or elsewhere.
    :param lock_timeout: seconds to wait for it; None for ten minutes here, and one elsewhere, where it may be stale.
    """

    def __init__(
        self,
        settings: Settings,
        stack: Stack,
        aws: AwsClient,
        on_event: Callable[[Event], object] = lambda event: None,
        *,
        waiting: Callable[[str], None] = lambda text: None,
        lock_timeout: float | None = None,
    ) -> None:
        self.stack = stack
        self.folder = private_directory(settings.work_directory / "stacks" / stack.name)
        self._settings = settings
        self._aws = aws
        self._on_event = on_event
        self._waiting = waiting
        self._lock_timeout = lock_timeout
        self.boundaries: dict[str, str | None] = {}
        """The permissions boundaries that were read from parameters, by venue."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this machine's lock on the stack: one run at a time renders, plans and applies it.

        :raises UsageError: the folder belongs to another account or region.
        """
        locks = self._settings.folder("locks")
        timeout = _OTHER_RUN if self._lock_timeout is None else self._lock_timeout
        waiting = partial(self._waiting, f"{self.stack.name}: waiting for another run on it")
        with locked(locks / f"{self.stack.name}.lock", timeout=timeout, waiting=waiting, sleep=pause):
            check_folder(self.folder, self.stack)
            try:
                yield
            finally:
                (self.folder / PLAN_FILE).unlink(missing_ok=True)  # it holds the external ID

    def terraform(self, hide: Sequence[SensitiveStr] = ()) -> Terraform:
        """Terraform in this root, with the operator's keys as they are now."""
        downloads = self._settings.root / ".venue-access"
        environment = self._environment(downloads)
        return Terraform(
            self.folder,
            program=terraform_program(self._settings.terraform, downloads),
            environment=lambda: terraform_environment(
                environment, self._aws.credentials(_AS_LONG_AS_A_RUN), self.stack.region, self._aws.endpoint
            ),
            venue=self.stack.venues[0].name,
            hide=hide,
            on_event=self._on_event,
            on_wait=self._waiting,
            lock_timeout=LOCK_TIMEOUT if self._lock_timeout is None else self._lock_timeout,
        )

    def _environment(self, downloads: Path) -> dict[str, str]:
        """The operator's own environment, with the way to the provider."""
        environment = {**os.environ, **cli_config_environment(os.environ, Path.home(), downloads)}
        if installs_from_the_registry(environment, Path.home()):
            # 700 MB come once, and not once for each stack.
            environment["TF_PLUGIN_CACHE_DIR"] = str(self._settings.folder("providers"))
        return environment

    def write(self, rendering: Rendering) -> None:
        """Make the files of the root what the rendering says, and have ``terraform init`` read them if it must.

        :raises UsageError: the state is in another place than the inventory says.
        """
        self._refuse_unmoved()
        record_account(self.folder, self.stack)
        for name, text in rendering.files.items():
            private_directory((self.folder / name).parent)
            write_private_if_changed(self.folder / name, text)
        remove_others(self.folder, rendering.files)
        initialised = InitCache(self.folder, rendering.files)
        if initialised.is_valid():
            return
        initialised.invalidate()
        if not initialised.copy_from_sibling():
            with self._installing():
                self.terraform().init()
        initialised.save()
        forget_note(self.folder)

    @contextmanager
    def _installing(self) -> Iterator[None]:
        """One ``init`` at a time where there is a cache of providers, which Terraform does not guard."""
        if "TF_PLUGIN_CACHE_DIR" not in self._environment(self._settings.root / ".venue-access"):
            yield
            return
        with locked(self._settings.folder("locks") / "plugins", timeout=_OTHER_RUN, sleep=pause):
            yield

    def write_for(
        self,
        *,
        buckets: Mapping[str, Sequence[str]],
        external_ids: Mapping[str, ExternalIds],
        imports: Sequence[Import] = (),
        known: frozenset[str] | None = None,
        parameter_types: Mapping[str, str] = MappingProxyType({}),
    ) -> frozenset[str]:
        """Render and write the stack where these things are known of only some of its venues.

        The others must be in it all the same, and so must venues that left the inventory: Terraform destroys what its
        configuration has no more, also where a target excludes it. They are in it as they were last rendered, or with
        a stand-in; the plan's targets must keep that from being applied.

        :param known: the addresses in the state, where they have been read: they tell who left the inventory.
        :returns: the names of those who left it.
        """
        last = last_rendering(self.folder)
        here = {venue.name for venue in self.stack.venues}
        names = last.keys() if known is None else filter(None, (venue_of(address)[0] for address in known))
        left = frozenset(names) - here
        stack = with_known_boundaries(self.stack, self.boundaries, last)
        others = {name: last.get(name) or _stand_in(stack.venues[0]) for name in left}
        for venue in stack.venues:
            if venue.name not in external_ids:
                others[venue.name] = last.get(venue.name) or _stand_in(venue)
        self.write(
            render(
                stack,
                buckets=buckets,
                external_ids=external_ids,
                imports=imports,
                orphaned=others,
                parameter_types=parameter_types,
                custom_endpoint=self._aws.endpoint is not None,
            )
        )
        return left

    def is_rendered(self) -> bool:
        """Whether a run has written and initialised this root before."""
        return is_initialised(self.folder)

    def state(self) -> dict[str, Any]:
        """The state as it is now; empty where there is none yet.

        :raises UsageError: it holds resources of another account or region.
        """
        is_local = self.stack.state.backend == "local"
        state = (state_file(self.folder) or {}) if is_local else self.terraform().state()
        check_state(self.stack, state)
        return state

    def addresses(self) -> frozenset[str]:
        """The addresses of what the state holds now."""
        return resources_in(self.state()).addresses

    def _refuse_unmoved(self) -> None:
        """Refuse to leave a state behind where the inventory moved it: its resources would be imported, or created."""
        there, wanted = location_of_state(self.folder), self.stack.state_location
        if there in (None, wanted) or (there == StateLocation() and not state_file(self.folder)):
            return
        raise UsageError(
            f"stack {self.stack.name}: the inventory has its state in {wanted}, but it is in {there}",
            hint=f"move it with: invoke state.migrate --venue {self.stack.venues[0].name}",
        )

    def set_state_aside(self) -> None:
        """Leave a local state that is now elsewhere beside its old place."""
        for file in self.folder.glob("terraform.tfstate*"):
            file.replace(file.with_name(f"moved.{file.name}"))

    def now_in(self, place: StateLocation) -> None:
        """Have the next run tell Terraform that the state was moved to ``place``."""
        note_location(self.folder, place)
        forget_init(self.folder)
        (self.folder / ".terraform" / "terraform.tfstate").unlink(missing_ok=True)

    def remove(self) -> None:
        """Take the folder away: of a stack of which nothing is left."""
        forget_init(self.folder)  # first: a half-removed folder must not pass for initialised
        shutil.rmtree(self.folder)


def last_rendering(folder: Path) -> dict[str, OrphanedVenue]:
    """Return the venues of a root module as they were last rendered, by name; none where it is incomplete."""
    try:
        data = json.loads((folder / DATA_FILE).read_text(encoding="utf-8"))["venues"]
        confidential = json.loads((folder / EXTERNAL_IDS_FILE).read_text(encoding="utf-8"))
        documents = confidential.get("trust_policies", {})
        return {
            name: OrphanedVenue(data[name], _ids(own, documents.get(name)), documents.get(name))
            for name, own in confidential["external_ids"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _ids(rendered: str | Mapping[str, str | None], trust_policy: str | None) -> ExternalIds:
    if isinstance(rendered, str):
        pending = external_ids_in(parse_policy(trust_policy or "{}")).get(PENDING, ())
        return ExternalIds(ExternalId(rendered), *pending)
    incoming = rendered["incoming"]  # an earlier release's, which wrote no trust policy
    return ExternalIds(ExternalId(rendered["current"] or ""), ExternalId(incoming) if incoming else None)


def _stand_in(like: Venue) -> OrphanedVenue:
    """Return a rendering of a venue of which nothing is known: a plan's targets keep it from being applied."""
    policies = managed_policies(like, like.s3_buckets or _UNKNOWN)
    return OrphanedVenue(venue_data(like, policies), ExternalIds(new_external_id()))


def remove_others(folder: Path, names: Container[str]) -> None:
    """Remove what Terraform would read in a root and what is not among ``names``."""
    for found in [path for pattern in _READ_BY_TERRAFORM for path in folder.glob(pattern)]:
        if str(found.relative_to(folder)) not in names:
            found.unlink(missing_ok=True)
