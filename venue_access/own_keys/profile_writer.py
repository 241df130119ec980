"""A profile in ``~/.aws/config`` whose keys are a venue's token, which AWS tools get by themselves."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from venue_access.errors import RequestError
from venue_access.files import private_directory, read_small, write_private

PROGRAM = "venue-access-credentials"
_NAME = re.compile(r"[\w+=,.@:/-]{1,64}", re.ASCII)
_HINT = "choose another name with --profile-name, or remove that profile"


@dataclass(frozen=True)
class Profile:
    """A profile as it is to be."""

    name: str
    command: Sequence[str]
    region: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise RequestError(
                f"--profile-name {self.name!r} cannot be a profile's", hint="take letters, digits and _+=,.@:/- only"
            )

    def text(self) -> str:
        """Its section. Some AWS tools split the command themselves, others give it to a shell: it is one for both."""
        return f"[profile {self.name}]\ncredential_process = {shlex.join(self.command)}\nregion = {self.region}\n"


def config_file(environ: Mapping[str, str], home: Path) -> Path:
    """The AWS configuration file, behind any symbolic link."""
    return Path(environ.get("AWS_CONFIG_FILE") or home / ".aws" / "config").expanduser().resolve()


def program() -> str:
    """The absolute path of ``venue-access-credentials``, which stands beside the Python that runs.

    :raises RequestError: it is not there.
    """
    path = Path(sys.executable).parent / PROGRAM
    if not path.exists():
        raise RequestError(f"there is no {path}", hint="scripts/bootstrap, or installing the package, puts it there")
    return str(path)


def with_profile(text: str, profile: Profile) -> str:
    """A configuration with the profile in it: at its end, or where a profile of ours of that name was.

    Everything else stays as it is, to the letter.

    :raises RequestError: a profile of that name is somebody else's.
    """
    lines = text.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.startswith("[")]
    for begin, end in zip(begins, [*begins, len(lines)][1:], strict=True):
        if _section(lines[begin]) != ["profile", profile.name]:
            continue
        own = lines[begin:end]
        if not any(line.startswith("credential_process") and PROGRAM in line for line in own):
            raise RequestError(f"the profile {profile.name} is there already, and not of this kit's making", hint=_HINT)
        blank = [line for line in own[-1:] if not line.strip()]
        return "".join([*lines[:begin], profile.text(), *blank, *lines[end:]])
    between = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return f"{text}{between}{profile.text()}"


def write_profile(path: Path, profile: Profile) -> bool:
    """Have the profile in a configuration file; whether that changed it.

    :raises RequestError: a profile of that name is somebody else's, or the file cannot be written.
    """
    before = ""
    if path.exists():
        content = read_small(path, what="AWS configuration", hint="name another with AWS_CONFIG_FILE", most=2**20)
        try:
            before = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RequestError(f"{path} is not UTF-8; it is left as it is") from error
    after = with_profile(before, profile)
    if after == before:
        return False
    private_directory(path.parent)
    write_private(path, after)
    return True


def _section(line: str) -> list[str]:
    try:
        return shlex.split(line.strip().strip("[]"))
    except ValueError:
        return []
