"""What ``terraform init`` made in a stack's folder: whether it still holds, and whether another stack's will do.

``init`` takes a second, most of it to check 700 MB of provider against the lock file, so it is run only where it would
make something else.
"""

from __future__ import annotations

import hashlib
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
    """The stamp in a stack's folder that says what ``init`` read when it last ended well.

    :param files: the root's by name; some are none that ``init`` reads.
    """

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        read = sorted((name, text) for name, text in files.items() if name not in _NOT_READ)
        self._folder = folder
        self._wanted = hashlib.sha256(repr(read).encode()).hexdigest()

    def holds(self) -> bool:
        """Whether ``init`` would read what it read the last time, and its providers are where they were."""
        return self._stands_in(self._folder)

    def begin(self) -> None:
        """Take the stamp away: whatever ends this run, a half-made folder does not pass for initialised."""
        forget(self._folder)

    def end(self) -> None:
        """``init`` ended well, or was not needed."""
        write_private_if_changed(self._folder / _STAMP, self._wanted)

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
        providers = list((folder / _MADE).glob(_PROVIDERS))
        stamp = folder / _STAMP
        return (
            stamp.is_file()
            and stamp.read_text(encoding="ascii", errors="replace") == self._wanted
            and bool(providers)
            and all(each.exists() for each in providers)
        )


def is_initialised(folder: Path) -> bool:
    """Whether ``init`` has ended well in a stack's folder, whatever it read."""
    return (folder / _STAMP).exists()


def forget(folder: Path) -> None:
    """Have the next run initialise a stack's folder anew."""
    (folder / _STAMP).unlink(missing_ok=True)
