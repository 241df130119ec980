"""What ``terraform init`` made in a stack's folder: whether it still holds, and whether another stack's will do.

``init`` takes a second, most of it to check 700 MB of provider against the lock file, so it is run only where it would
make something else.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from venue_access.files import write_private_if_changed
from venue_access.provisioning.render import DATA_FILE, EXTERNAL_IDS_FILE, IMPORTS_FILE

_STAMP = ".initialised"
_MADE = ".terraform"
_NOT_READ = (DATA_FILE, EXTERNAL_IDS_FILE, IMPORTS_FILE)
_PROVIDERS = "providers/*/*/*/*/*"  # host, namespace, name, version, platform: mostly a link to a mirror


class Initialised:
    """The stamp in a stack's folder: the sum of what ``init`` read when it last ended well, and of what it made.

    :param files: the root's by name; some are none that ``init`` reads.
    """

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self._read = sorted((name, text) for name, text in files.items() if name not in _NOT_READ)

    def holds(self) -> bool:
        """Whether ``init`` would read what it read the last time, and what it made then is still there."""
        return self._stands_in(self._folder)

    def begin(self) -> None:
        """Take the stamp away: whatever ends this run, a half-made folder does not pass for initialised.

        Also what Terraform could not read, and where its providers stood and are not: ``init`` trips over these.
        """
        forget(self._folder)
        made = self._folder / _MADE
        for record in (made / "terraform.tfstate", made / "modules" / "modules.json"):
            if not _is_json(record):
                record.unlink(missing_ok=True)
        for provider in made.glob(_PROVIDERS):
            if provider.is_symlink():
                provider.unlink()
            elif not any(provider.iterdir()):
                provider.rmdir()

    def end(self) -> None:
        """``init`` ended well, or was not needed."""
        write_private_if_changed(self._folder / _STAMP, self._stamp(self._folder))

    def taken_over(self) -> bool:
        """Take over what ``init`` made for a stack for which it read the same: all whose state is local are alike."""
        made = self._folder / _MADE
        with suppress(OSError):
            for stamp in self._folder.parent.glob(f"*/{_STAMP}"):
                if not made.exists() and self._stands_in(stamp.parent):
                    shutil.copytree(stamp.with_name(_MADE), made, symlinks=True)
                    return self._stands_in(stamp.parent)  # it was not made anew meanwhile
        return False

    def _stands_in(self, folder: Path) -> bool:
        stamp = folder / _STAMP
        return stamp.is_file() and stamp.read_text(encoding="ascii", errors="replace") == self._stamp(folder)

    def _stamp(self, folder: Path) -> str:
        return hashlib.sha256(repr((self._read, _made(folder / _MADE))).encode()).hexdigest()


def _made(folder: Path) -> list[tuple[str, int, bytes]]:
    """What ``init`` has made in ``folder``: of the provider, which is large, the names and sizes."""
    own = [file for file in (folder / "terraform.tfstate", folder / "modules" / "modules.json") if file.is_file()]
    parts = [(str(file.relative_to(folder)), 0, file.read_bytes()) for file in own]
    for provider in sorted(folder.glob(_PROVIDERS)):
        files = sorted(provider.iterdir()) if provider.is_dir() else []
        parts += [(str(file.relative_to(folder)), file.stat().st_size, b"") for file in files]
    return parts


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def is_initialised(folder: Path) -> bool:
    """Whether ``init`` has ended well in a stack's folder, whatever it read."""
    return (folder / _STAMP).exists()


def forget(folder: Path) -> None:
    """Have the next run initialise a stack's folder anew."""
    (folder / _STAMP).unlink(missing_ok=True)
