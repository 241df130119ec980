"""Write a profile into ``~/.aws/config`` whose ``credential_process`` issues a venue's token."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path

from venue_access.accounts.profiles import aws_files, profile_names, read_sections, read_text
from venue_access.aws.client import Endpoint
from venue_access.errors import UsageError
from venue_access.files import private_directory, write_private
from venue_access.tokens.formats import cannot_hold, check_profile_name, endpoint_settings

PROGRAM = "venue-access-credentials"
_HINT = "choose another name with --profile-name, or remove that profile"
_BEFORE_A_PROCESS = re.compile(r"role_arn|source_profile|credential_source|web_identity_.*|sso_.*|aws_.*|login_session")
"""The settings whose credentials botocore uses instead of a ``credential_process``."""


@dataclass(frozen=True)
class Profile:
    """A profile to write."""

    name: str
    command: Sequence[str]
    region: str
    endpoint: Endpoint | None = None

    def __post_init__(self) -> None:
        """Check that every AWS tool reads the profile as it is written.

        :raises UsageError: one would not.
        """
        if self.name.casefold() == "default":
            raise UsageError(
                "--profile-name default: every AWS tool without a profile would use the venue's token, and so would"
                " venue-access-credentials itself",
                hint="choose another name, and select it with AWS_PROFILE or --profile",
            )
        check_profile_name(self.name)
        for word in (*self.command, *self.settings().values()):
            if cannot_hold(word):
                raise UsageError(
                    f"an AWS configuration file cannot hold {word!r}: it contains a line break, a control character or"
                    " a comment sign after a space",
                    hint="rename the profile of --source-profile, or the folder",
                )

    def settings(self) -> dict[str, str]:
        """Return the settings; the command works for AWS tools that split it, and for those that use a shell."""
        command = {"credential_process": shlex.join(self.command)}
        return {**command, "region": self.region, **endpoint_settings(self.endpoint)}

    def text(self) -> str:
        """Return the profile's section."""
        lines = (f"{name} = {value}\n" for name, value in self.settings().items())
        return "".join([f"[profile {self.name}]\n", *lines])


def program() -> str:
    """Return the absolute path of ``venue-access-credentials``, in the folder of the running Python.

    :raises UsageError: it does not exist.
    """
    path = Path(sys.executable).parent / PROGRAM
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="run scripts/bootstrap, or install the package")
    return str(path)


def with_profile(text: str, profile: Profile, path: Path = Path("~/.aws/config")) -> str:
    """Return a configuration with the profile added at its end, or in place of the kit's profile of that name.

    The result is parsed as botocore does: it must contain this profile, and every other section unchanged.

    :raises UsageError: the AWS CLI cannot read the file, a profile of that name is not the kit's, or a setting of
        ``[DEFAULT]`` overrides it.
    """
    before = read_sections(text, path)
    same = [section for section in before if profile.name in profile_names(section.strip())]  # some AWS tools strip it
    if len(same) > 1:
        raise UsageError(f"{path}: duplicate profile {profile.name}: {', '.join(same)}", hint=_HINT)
    if same and PROGRAM not in before[same[0]].get("credential_process", ""):
        raise UsageError(f"{path}: the profile {profile.name} exists and was not written by the kit", hint=_HINT)
    if same:
        after = _replaced(text, same[0], profile.text())
    else:
        separator = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        after = f"{text}{separator}{profile.text()}"
    found = read_sections(after, path)
    own = found.pop(f"profile {profile.name}", {})
    before.pop(same[0] if same else "", None)
    overriding = [name for name in own if name not in profile.settings() and _BEFORE_A_PROCESS.fullmatch(name)]
    if overriding:
        raise UsageError(
            f"{path}: the section [DEFAULT] sets {overriding[0]} for every profile, and AWS tools use that instead of"
            " credential_process",
            hint="move it from [DEFAULT] to the profiles that need it",
        )
    if found != before or not profile.settings().items() <= own.items():
        raise UsageError(
            f"cannot add a profile to {path} without changing others", hint=f"add by hand:\n{profile.text()}"
        )
    return after


def _replaced(text: str, name: str, section: str) -> str:
    """Return ``text`` with a section replaced; comments and empty lines before the next section stay."""
    lines = list(io.StringIO(text, newline=""))
    matches = {number: RawConfigParser.SECTCRE.match(line.strip()) for number, line in enumerate(lines)}
    headers = {number: match["header"] for number, match in matches.items() if match is not None}
    [begin] = [number for number, header in headers.items() if header == name] or [len(lines)]
    end = min((number for number in headers if number > begin), default=len(lines))
    while end > begin + 1 and lines[end - 1].strip()[:1] in ("", "#", ";"):
        end -= 1
    return "".join([*lines[:begin], section, *lines[end:]])


def write_profile(
    environ: Mapping[str, str], home: Path, profile: Profile, *, source: str | None = None, check: bool = False
) -> tuple[Path, bool]:
    """Write the profile into the AWS configuration file; return the file, and whether it changes.

    :param source: the profile whose credentials it issues with.
    :param check: write nothing.
    :raises UsageError: AWS tools would not use the profile, or the file cannot be written.
    """
    path, credentials = aws_files(environ, home)
    in_credentials = read_sections(read_text(credentials), credentials)
    if source is not None:
        known = {name for section in read_sections(read_text(path), path) for name in profile_names(section)}
        if source == profile.name:
            raise UsageError(f"--source-profile {source!r} is the profile to write", hint="name another profile")
        if source not in known | in_credentials.keys():
            raise UsageError(f"--source-profile {source!r}: no such profile in {path} or {credentials}")
    if profile.name in in_credentials:
        raise UsageError(
            f"{credentials} has a section [{profile.name}], which overrides a profile of that name in {path}",
            hint="choose another name with --profile-name, or remove that section",
        )
    path = path.resolve()  # a symbolic link is kept
    before = read_text(path)
    after = with_profile(before, profile, path)
    if check or after == before:
        return path, after != before
    private_directory(path.parent)
    write_private(path, after)
    return path, True
