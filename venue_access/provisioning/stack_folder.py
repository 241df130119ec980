"""What the kit keeps in a stack's folder beside the root module, and the facts of its venues.

- ``account.json``: the account and region of the stack. Two inventories may name the same stack; in one work directory,
  or with one key in S3, their states would become one. A folder or state is refused for another account.
- ``moved-to.json``: where the state was moved, until ``terraform init`` has been run for the new place.
- ``.initialised``: a checksum of what ``terraform init`` read and made. Init takes a second, most of it to check 700 MB
  of provider against the lock file, so it runs only when it would change something.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import write_private, write_private_if_changed
from venue_access.inventory.model import Venue
from venue_access.provisioning.render import DATA_FILE, EXTERNAL_IDS_FILE, IMPORTS_FILE
from venue_access.provisioning.stack import Stack, StateLocation

_ACCOUNT, _MOVED, _STAMP, _TERRAFORM = "account.json", "moved-to.json", ".initialised", ".terraform"
_NOT_READ_BY_INIT = (DATA_FILE, EXTERNAL_IDS_FILE, IMPORTS_FILE)
_PROVIDERS = "providers/*/*/*/*/*"  # host, namespace, name, version, platform: usually a link to a mirror


@dataclass(frozen=True)
class StackAccount:
    """An account and region at AWS, or at another endpoint, where the same number is another account."""

    account_id: str
    region: str
    endpoint: str | None = None
    """``Venue.endpoint_name``."""

    @classmethod
    def of(cls, stack: Stack) -> StackAccount:
        """Return the account that the inventory gives a stack."""
        return cls(stack.account_id, stack.region, stack.venues[0].endpoint_name)

    def agrees_with(self, stack: Stack) -> bool:
        """Return whether this is the stack's account, and its region unless empty: ARNs of IAM have none."""
        return self.account_id == stack.account_id and self.region in ("", stack.region)

    def __str__(self) -> str:
        where = f" in {self.region}" if self.region else ""
        return f"account {self.account_id}{where}{'' if self.endpoint is None else f' at {self.endpoint}'}"


def record_account(folder: Path, stack: Stack) -> None:
    """Record the account and region of a stack in its folder."""
    write_private_if_changed(folder / _ACCOUNT, json.dumps(asdict(StackAccount.of(stack))) + "\n")


def check_folder(folder: Path, stack: Stack) -> None:
    """Check that a stack's folder belongs to the stack's account, region and endpoint.

    The folder of an earlier release has no record: its local state counts, or else what was last rendered in it.

    :raises UsageError: it belongs to another.
    """
    wanted, recorded = StackAccount.of(stack), None
    with suppress(OSError, ValueError, TypeError):
        recorded = StackAccount(**json.loads((folder / _ACCOUNT).read_text(encoding="utf-8")))
    if recorded is None:
        recorded = next((other for other in _unrecorded(folder) if not other.agrees_with(stack)), wanted)
    if recorded != wanted:
        raise UsageError(
            f"stack {stack.name}: {folder} belongs to {recorded}, and the inventory has the stack in {wanted}",
            hint="use a work directory for each inventory: set INVOKE_WORKDIR. If the stack has moved, move that"
            " folder aside: provision imports what exists",
        )


def check_state(stack: Stack, state: Mapping[str, Any]) -> None:
    """Check that a state holds resources of the stack's account and region only.

    :raises UsageError: it holds others.
    """
    for account in accounts_in(state):
        if not account.agrees_with(stack):
            raise UsageError(
                f"stack {stack.name}: its state, in {stack.state_location}, holds resources of {account}, and the"
                f" inventory has the stack in {StackAccount.of(stack)}",
                hint="use a state for each inventory: another work directory (INVOKE_WORKDIR), or another bucket or"
                " key_prefix in state",
            )


def accounts_in(state: Mapping[str, Any]) -> list[StackAccount]:
    """Return the accounts and regions in the ARNs of a state's resources."""
    found = set()
    for resource in state.get("resources", ()):
        for instance in resource["instances"] if resource["mode"] == "managed" else ():
            attributes = instance.get("attributes")
            fields = str(attributes.get("arn", "") if isinstance(attributes, dict) else "").split(":")
            if len(fields) > 5 and fields[4].isdigit():
                found.add(StackAccount(fields[4], fields[3]))
    return sorted(found, key=str)


def _unrecorded(folder: Path) -> list[StackAccount]:
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        found = accounts_in(json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8")))
        if found:
            return found
    with suppress(OSError, ValueError, LookupError, TypeError):
        rendered = json.loads((folder / DATA_FILE).read_text(encoding="utf-8"))
        return [StackAccount(rendered["account_id"], rendered["region"])]
    return []


def note_location(folder: Path, location: StateLocation) -> None:
    """Note where a stack's state was moved, until the next ``terraform init``."""
    write_private(folder / _MOVED, json.dumps(asdict(location)))


def forget_note(folder: Path) -> None:
    """Remove the note of ``note_location`` after ``terraform init``."""
    (folder / _MOVED).unlink(missing_ok=True)


def location_of_state(folder: Path) -> StateLocation | None:
    """Return where a stack's state was moved, or else where ``terraform init`` last had it; None before any init."""
    with suppress(OSError, ValueError, TypeError):
        return StateLocation(**json.loads((folder / _MOVED).read_text(encoding="utf-8")))
    try:
        backend = json.loads((folder / _TERRAFORM / "terraform.tfstate").read_text(encoding="utf-8"))["backend"]
        if backend["type"] == "local":
            return StateLocation()
        config = backend["config"]
        return StateLocation(config["bucket"], config["key"], config["region"], config.get("kms_key_id"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class InitCache:
    """Whether ``terraform init`` has to run in a stack's folder.

    :param files: the rendered files by name; init reads most of them.
    """

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self._read = sorted((name, text) for name, text in files.items() if name not in _NOT_READ_BY_INIT)

    def is_valid(self) -> bool:
        """Return whether init would read what it read last time, and what it made then still exists."""
        return self._is_valid_in(self._folder)

    def invalidate(self) -> None:
        """Remove the stamp, and what makes init fail: records that are not JSON, and links to missing providers.

        However the run ends, a half-made folder then does not count as initialised.
        """
        forget_init(self._folder)
        made = self._folder / _TERRAFORM
        for record in (made / "terraform.tfstate", made / "modules" / "modules.json"):
            if not _is_json(record):
                record.unlink(missing_ok=True)
        for provider in made.glob(_PROVIDERS):
            if provider.is_symlink():
                provider.unlink()
            elif not any(provider.iterdir()):
                provider.rmdir()

    def copy_from_sibling(self) -> bool:
        """Copy what init made for another stack that has the same input: all stacks with a local state are alike."""
        made = self._folder / _TERRAFORM
        with suppress(OSError):
            for stamp in self._folder.parent.glob(f"*/{_STAMP}"):
                if not made.exists() and self._is_valid_in(stamp.parent):
                    shutil.copytree(stamp.with_name(_TERRAFORM), made, symlinks=True)
                    return self._is_valid_in(stamp.parent)  # false if it changed while it was copied
        return False

    def save(self) -> None:
        """Write the stamp after init has succeeded, or was not needed."""
        write_private_if_changed(self._folder / _STAMP, self._stamp(self._folder))

    def _is_valid_in(self, folder: Path) -> bool:
        stamp = folder / _STAMP
        return stamp.is_file() and stamp.read_text(encoding="ascii", errors="replace") == self._stamp(folder)

    def _stamp(self, folder: Path) -> str:
        return hashlib.sha256(repr((self._read, list(_made(folder / _TERRAFORM)))).encode()).hexdigest()


def _made(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    """Yield what init has made in a folder: of the providers, which are large, only names and sizes."""
    for file in (folder / "terraform.tfstate", folder / "modules" / "modules.json"):
        if file.is_file():
            yield str(file.relative_to(folder)), 0, file.read_bytes()
    for provider in sorted(folder.glob(_PROVIDERS)):
        for file in sorted(provider.iterdir()) if provider.is_dir() else ():
            yield str(file.relative_to(folder)), file.stat().st_size, b""


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def is_initialised(folder: Path) -> bool:
    """Return whether ``terraform init`` has succeeded in a stack's folder."""
    return (folder / _STAMP).exists()


def forget_init(folder: Path) -> None:
    """Have the next run call ``terraform init`` in a stack's folder."""
    (folder / _STAMP).unlink(missing_ok=True)


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
