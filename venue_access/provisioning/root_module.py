"""A stack's root module on disk: its files, its lock, its environment, its state, and the facts of its venues.

Beside the rendered files its folder holds ``account.json``, the account and region of the stack, and ``moved-to.json``,
where the state was moved, until ``terraform init`` has run for the new place.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import locked, private_directory, write_private, write_private_if_changed
from venue_access.inventory.model import Venue
from venue_access.policies.documents import ExternalIds, managed_policies
from venue_access.provisioning.cli_config import (
    cli_config_environment,
    installs_from_the_registry,
    terraform_environment,
    terraform_program,
)
from venue_access.provisioning.process import FINISHING, pause
from venue_access.provisioning.render import (
    Import,
    OrphanedVenue,
    last_rendering,
    render,
    venue_data,
)
from venue_access.provisioning.results import Event, venue_of
from venue_access.provisioning.stack import Stack, StateLocation, resources_in
from venue_access.provisioning.state import check_folder, check_state, record_account, state_file
from venue_access.provisioning.terraform import (
    DEADLINE,
    LOCK_TIMEOUT,
    PLAN_FILE,
    Terraform,
    forget_init,
    initialise,
    is_initialised,
)
from venue_access.provisioning.venue_checks import with_known_boundaries
from venue_access.provisioning.venue_snapshot import new_external_id
from venue_access.sensitive import SensitiveStr

_AS_LONG_AS_A_RUN = DEADLINE + FINISHING
"""Seconds that the keys which Terraform is given must last."""
_OTHER_RUN = 600.0  # seconds: another run on the same stack may have several plans to make
_MOVED = "moved-to.json"
_READ_BY_TERRAFORM = [
    folder + ending
    for folder in ("", "modules/venue_access/")
    for ending in ("*.tf", "*.tf.json", "*.tofu*", "*.tfvars*", ".*.tfvars.json.*")
]
"""What would be part of the root module though it is not rendered: an earlier rendering's files, or anybody's."""


@dataclass
class RootModule:
    """The folder of one stack's root module, and Terraform in it."""

    settings: Settings
    stack: Stack
    aws: AwsClient
    on_event: Callable[[Event], object] = lambda event: None
    """Receives Terraform's events while it runs."""
    waiting: Callable[[str], None] = lambda text: None
    """Receives the reason for a wait: another run on this machine or elsewhere."""
    lock_timeout: float | None = None
    """Seconds to wait for it; None for ten minutes here, and one elsewhere, where it may be stale."""
    boundaries: dict[str, str | None] = field(default_factory=dict)
    """The permissions boundaries that were read from parameters, by venue."""

    def __post_init__(self) -> None:
        self.folder = private_directory(self.settings.work_directory / "stacks" / self.stack.name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this machine's lock on the stack: one run at a time renders, plans and applies it.

        :raises UsageError: the folder belongs to another account or region.
        """
        lock = self.settings.folder("locks") / f"{self.stack.name}.lock"
        timeout = _OTHER_RUN if self.lock_timeout is None else self.lock_timeout
        waiting = partial(self.waiting, f"{self.stack.name}: waiting for another run on it")
        with locked(lock, timeout=timeout, waiting=waiting, sleep=pause):
            check_folder(self.folder, self.stack)
            try:
                yield
            finally:
                (self.folder / PLAN_FILE).unlink(missing_ok=True)  # it holds the external ID

    def terraform(self, hide: Sequence[SensitiveStr] = ()) -> Terraform:
        """Return Terraform in this root module, with the operator's keys as they are at each run."""
        environment, region, endpoint = self._environment(), self.stack.region, self.aws.endpoint
        return Terraform(
            self.folder,
            terraform_program(self.settings.terraform, self.settings.root / ".venue-access"),
            lambda: terraform_environment(environment, self.aws.credentials(_AS_LONG_AS_A_RUN), region, endpoint),
            venue=self.stack.venues[0].name,
            hide=hide,
            on_event=self.on_event,
            on_wait=self.waiting,
            lock_timeout=LOCK_TIMEOUT if self.lock_timeout is None else self.lock_timeout,
        )

    def _environment(self) -> dict[str, str]:
        """Return the operator's own environment, with the way to the provider."""
        home, downloads = Path.home(), self.settings.root / ".venue-access"
        environment = {**os.environ, **cli_config_environment(os.environ, home, downloads)}
        if installs_from_the_registry(environment, home):
            # 700 MB come once, and not once for each stack.
            environment["TF_PLUGIN_CACHE_DIR"] = str(self.settings.folder("providers"))
        return environment

    def write_for(
        self,
        *,
        buckets: Mapping[str, Sequence[str]],
        external_ids: Mapping[str, ExternalIds],
        imports: Sequence[Import] = (),
        known: frozenset[str] | None = None,
        parameter_types: Mapping[str, str] = MappingProxyType({}),
    ) -> frozenset[str]:
        """Render, write and initialise the stack where these things are known of only some of its venues.

        The others must be in it all the same, and so must venues that left the inventory: Terraform destroys what its
        configuration has no more, also where a target excludes it. They are in it as they were last rendered, or with
        a stand-in; the plan's targets must keep that from being applied.

        :param known: the addresses in the state, where they have been read: they tell who left the inventory.
        :returns: the names of those who left it.
        :raises UsageError: the state is in another place than the inventory says.
        """
        last = last_rendering(self.folder)
        names = last.keys() if known is None else filter(None, (venue_of(address)[0] for address in known))
        left = frozenset(names) - {venue.name for venue in self.stack.venues}
        stack = with_known_boundaries(self.stack, self.boundaries, last)
        unknown = [venue for venue in stack.venues if venue.name not in external_ids]
        like = {**dict.fromkeys(left, stack.venues[0]), **{venue.name: venue for venue in unknown}}
        others = {name: last.get(name) or _stand_in(venue) for name, venue in like.items()}
        rendering = render(
            stack,
            buckets=buckets,
            external_ids=external_ids,
            imports=imports,
            orphaned=others,
            parameter_types=parameter_types,
            custom_endpoint=self.aws.endpoint is not None,
        )
        self._write(rendering.files)
        return left

    def _write(self, files: Mapping[str, str]) -> None:
        # A state is not left behind where the inventory moved it: its resources would be imported, or created.
        present, wanted = location_of_state(self.folder), self.stack.state_location
        if present not in (None, wanted) and (present != StateLocation() or state_file(self.folder)):
            raise UsageError(
                f"stack {self.stack.name}: the inventory has its state in {wanted}, but it is in {present}",
                hint=f"move it with: invoke state.migrate --venue {self.stack.venues[0].name}",
            )
        record_account(self.folder, self.stack)
        for name, text in files.items():
            private_directory((self.folder / name).parent)
            write_private_if_changed(self.folder / name, text)
        remove_others(self.folder, files)
        if not is_initialised(self.folder, files):
            initialise(self.folder, files, self._init)
            (self.folder / _MOVED).unlink(missing_ok=True)

    def _init(self) -> None:
        # Terraform does not guard its cache of providers: one init at a time.
        one = locked(self.settings.folder("locks") / "plugins", timeout=_OTHER_RUN, sleep=pause)
        with one if "TF_PLUGIN_CACHE_DIR" in self._environment() else nullcontext():
            self.terraform().init()

    def is_rendered(self) -> bool:
        """Return whether a run has written and initialised this root module before."""
        return is_initialised(self.folder)

    def state(self) -> dict[str, Any]:
        """Return the state as it is now; empty if there is none yet.

        :raises UsageError: it holds resources of another account or region.
        """
        is_local = self.stack.state.bucket is None
        state = (state_file(self.folder) or {}) if is_local else self.terraform().state()
        check_state(self.stack, state)
        return state

    def addresses(self) -> frozenset[str]:
        """Return the addresses of what the state holds now."""
        return resources_in(self.state()).addresses

    def set_moved(self, location: StateLocation) -> None:
        """Have the next run call ``terraform init`` for the place that the state was moved to."""
        write_private(self.folder / _MOVED, json.dumps(asdict(location)))
        forget_init(self.folder)
        (self.folder / ".terraform" / "terraform.tfstate").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder of a stack of which nothing is left."""
        forget_init(self.folder)  # first: a half-removed folder must not count as initialised
        shutil.rmtree(self.folder)


def _stand_in(like: Venue) -> OrphanedVenue:
    data = venue_data(like, managed_policies(like, like.s3_buckets or ("not-known",)))
    return OrphanedVenue(data, ExternalIds(new_external_id()))


def remove_others(folder: Path, names: Container[str]) -> None:
    """Remove what Terraform would read in a root module and what is not among ``names``."""
    for found in [path for pattern in _READ_BY_TERRAFORM for path in folder.glob(pattern)]:
        if str(found.relative_to(folder)) not in names:
            found.unlink(missing_ok=True)


def location_of_state(folder: Path) -> StateLocation | None:
    """Return where a stack's state was moved, or else where ``terraform init`` last had it; None before any init."""
    with suppress(OSError, ValueError, TypeError):
        return StateLocation(**json.loads((folder / _MOVED).read_text(encoding="utf-8")))
    with suppress(OSError, ValueError, KeyError, TypeError):
        backend = json.loads((folder / ".terraform" / "terraform.tfstate").read_text(encoding="utf-8"))["backend"]
        if backend["type"] == "local":
            return StateLocation()
        config = backend["config"]
        return StateLocation(config["bucket"], config["key"], config["region"], config.get("kms_key_id"))
    return None


def write_facts(settings: Settings, venue: Venue, buckets: Sequence[str]) -> None:
    """Write the facts of a provisioned venue, one file a venue in the work directory; none is confidential."""
    facts = {
        "venue": venue.name,
        "account_id": venue.account_id,
        "region": venue.region,
        "role_arn": venue.role_arn,
        "external_id_parameter": venue.external_id_parameter,
        "s3_buckets": list(buckets),
        "ecr_repository_prefixes": list(venue.ecr_repository_prefixes),
        "max_session_duration": venue.max_session_duration,
    }
    write_private_if_changed(settings.folder("facts") / f"{venue.name}.json", json.dumps(facts, indent=2) + "\n")


def forget_facts(settings: Settings, name: str) -> None:
    """Remove the facts of a venue."""
    (settings.folder("facts") / f"{name}.json").unlink(missing_ok=True)
