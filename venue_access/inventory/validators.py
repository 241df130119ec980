"""Validators of single values.

Each takes a value of a document, and returns the typed value or raises ``InvalidValue`` with the reason. Those that
depend on other variables of the venue take a ``Context`` too.

The limits are those of the AWS API references of IAM, STS, S3, ECR, SSM and KMS, unless a validator names another
source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from venue_access.inventory.groups import UnsafeText, kind

NAME_LENGTHS = "2 to 64"
OWN_TAGS = "venue-access:"
CONVENTIONAL_TAGS = 11
"""Tags that the resources of a venue get besides the inventory's."""
_KEY_TEXTS = ("age1", "ssh-ed25519 ", "ssh-rsa ", "-----BEGIN CERTIFICATE-----")
_KEY_FILES = (".pub", ".txt", ".pem", ".crt", ".cer", ".der")
_PRIVATE_KEY_FILES = ("id_rsa", "id_ed25519", "id_ecdsa", "id_dsa")
_PRIVATE_KEYS = re.compile("PRIVATE KEY-----|AGE-SECRET-KEY-|PuTTY-User-Key-File", re.IGNORECASE)


class InvalidValue(ValueError):
    """A value that cannot be used, with the reason, and the line (from 1) if it is known.

    :param more: what else is wrong with the value.
    """

    def __init__(self, reason: str, line: int | None = None, more: Collection[InvalidValue] = ()) -> None:
        super().__init__(reason)
        self.line = line
        self.all = (self, *more)

    def within(self, key: object, line: int | None) -> list[InvalidValue]:
        """Return all that is wrong, as reasons of the value that has this one under ``key``."""
        return [InvalidValue(f"{key}: {each}", each.line or line) for each in self.all]

    @classmethod
    def of(cls, reasons: list[InvalidValue]) -> InvalidValue:
        """Return one error with all of these reasons, of which there is at least one."""
        return cls(str(reasons[0]), reasons[0].line, reasons[1:])


@dataclass(frozen=True)
class Context:
    """Other variables of the venue that a value is checked against; None is missing or wrong itself."""

    partition: str | None = None
    """As the region has it."""
    named_partition: str | None = None
    """As the variable ``partition`` has it."""
    region: str | None = None
    account_id: str | None = None
    hosts: Collection[str] = ()
    """Names of all venues of the inventory."""


def has_private_key(text: str) -> bool:
    """Return whether a text has a private key: PEM, OpenSSH's, PuTTY's or age's."""
    return _PRIVATE_KEYS.search(text) is not None


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"expected a string, found {kind(value)}{_quoting(value)}")
    if not value or not value.isprintable():
        raise InvalidValue("is empty" if not value else "has a control character")
    return str(value) if isinstance(value, UnsafeText) else value


def _quoting(value: Any) -> str:
    return f" ({value}); put it in quotes" if isinstance(value, (bool, int, float)) else ""


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        written = f" {value!r}; write true or false without quotes" if isinstance(value, str) else ""
        raise InvalidValue(f"expected true or false, found {kind(value)}{written}")
    return value


class Matching:
    """A validator of a string that a pattern matches whole, in ASCII."""

    def __init__(self, pattern: str, expected: str) -> None:
        self.pattern = pattern
        self._compiled = re.compile(pattern, re.ASCII)
        self._expected = expected

    def __call__(self, value: Any) -> str:
        if not self._compiled.fullmatch(text(value)):
            raise InvalidValue(f"{value!r} must be {self._expected}")
        return str(value)


segment = Matching(r"[A-Za-z0-9][A-Za-z0-9_.-]*", "letters, digits and '_.-', the first a letter or digit")
"""Valid in a role name, an SSM path, a file name and a Terraform key alike."""

folder_name = Matching(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "at most 64 letters, digits and '_.-', the first a letter or digit"
)
session_name = Matching(r"[\w+=,.@-]{2,64}", f"{NAME_LENGTHS} ASCII letters, digits and '_+=,.@-'")
"""A role session name, and also a source identity. Source: AWS STS API, AssumeRole."""

recipient_name = Matching(
    r"[A-Za-z0-9][\w+=,.@-]{1,63}",
    f"{NAME_LENGTHS} ASCII letters, digits and '_+=,.@-', the first a letter or digit",
)
"""A role session name that is also a file name; programs take one that begins with '-' for an option."""

profile_name = Matching(r"(?!-)[^\[\]]{1,128}", "the name of a profile of ~/.aws/config")
email = Matching(r"(?!-)[^@\s,;<>\"]+@[^@\s,;<>\"]+", "an email address")
org_id = Matching(r"o-[a-z0-9]{10,32}", "the ID of an AWS organization, such as o-a1b2c3d4e5")
role_path = Matching(r"/([\w+=,.@-]+/)*", "'/' or a path that begins and ends in '/', such as /ops/")
ecr_prefix = Matching(
    r"(?=.{2,200}$)([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*/)+",
    "an ECR name that ends in '/', such as unity-dev/, of lower-case letters and digits with single '.', '_' or '-'",
)
key_prefix = Matching(r"(?!.*(^|/)\.{0,2}/)[\w!.*'()/-]{1,512}", "a path such as terraform/venues/")
kms_key_id = Matching(
    r"[0-9a-f-]{36}|mrk-[0-9a-f]{32}|alias/[\w/-]+|arn:[\w-]+:kms:[\w-]+:\d{12}:(key|alias)/[\w/-]+",
    "the ID, alias or ARN of a KMS key",
)


def role_prefix(value: Any) -> str:
    """Source: SSM API, PutParameter: a name must not begin with ``aws`` or ``ssm``, in any case."""
    prefix = segment(value)
    if prefix.casefold().startswith(("aws", "ssm")):
        raise InvalidValue(f"{prefix!r} must not begin with 'aws' or 'ssm': SSM reserves such parameter names")
    return prefix


def account_id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise InvalidValue(f"must be in quotes: YAML reads it as the number {value}{_as_written(value)}")
    if not re.fullmatch(r"[0-9]{12}", text(value)):
        raise InvalidValue(f'{value!r} must be 12 digits in quotes, such as "111122223333"')
    return str(value)


def _as_written(number: int) -> str:
    """Return the 12 digits that YAML reads as a number, octal if they begin with 0."""
    if len(str(number)) == 12:
        return f'; write "{number}"'
    octal = f"{number:o}".zfill(12) if number > 8**8 else ""
    return f' (12 digits that begin with 0 are octal to YAML); write "{octal}"' if len(octal) == 12 else ""


def bucket(value: Any) -> str:
    """Source: Amazon S3 User Guide, general purpose bucket naming rules."""
    name = text(value)
    pasted = re.fullmatch(r"(?:arn:[\w-]+:s3:::|s3://)([^/]+)/?.*", name)
    if pasted:
        raise InvalidValue(f"{name!r} must be the name alone: {pasted[1]}")
    is_address = re.fullmatch(r"(\d+\.){3}\d+", name)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name) or ".." in name or is_address:
        raise InvalidValue(
            f"{name!r} must be a bucket name: 3 to 63 lower-case letters, digits, '.' and '-',"
            " a letter or digit at both ends, no '..', no IP address"
        )
    if name.startswith(("xn--", "sthree-", "amzn-s3-demo-")) or name.endswith(
        ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
    ):
        raise InvalidValue(f"{name!r} is of a form that S3 reserves")
    return name


def state_backend(value: Any) -> str:
    if value not in ("local", "s3"):
        raise InvalidValue(f"must be local or s3, found {value!r}")
    return str(value)


def cidr(value: Any) -> str:
    written = text(value)
    try:
        return str(ip_network(written))
    except ValueError as error:
        raise InvalidValue(f"{value!r} is not an address range such as 198.51.100.0/24: {error}") from error


def tags(value: Any) -> Mapping[str, str]:
    """At most 50 tags, whose keys differ without regard to case, as in IAM and STS."""
    if not isinstance(value, dict):
        raise InvalidValue(f"expected a mapping of names to strings, found {kind(value)}")
    if len(value) > 50:
        raise InvalidValue(f"has {len(value)} entries, and AWS takes 50 at most")
    folded: dict[str, str] = {}
    for key, content in value.items():
        if not isinstance(key, str) or not 1 <= len(key) <= 128 or not _is_tag_text(key):
            raise InvalidValue(f"the key {key!r} must be 1 to 128 letters, digits, spaces and '_.:/=+-@'")
        if key.casefold().startswith("aws:"):
            raise InvalidValue(f"the key {key!r} begins with 'aws:', which AWS reserves")
        if not isinstance(content, str):
            raise InvalidValue(f"{key}: expected a string, found {kind(content)}{_quoting(content)}")
        if len(content) > 256 or not _is_tag_text(content):
            raise InvalidValue(f"{key}: must be at most 256 letters, digits, spaces and '_.:/=+-@'")
        if key.casefold() in folded:
            raise InvalidValue(
                f"the keys {folded[key.casefold()]!r} and {key!r} are the same to AWS, which ignores case"
            )
        folded[key.casefold()] = key
    return MappingProxyType({str(key): str(content) for key, content in value.items()})


def resource_tags(value: Any) -> Mapping[str, str]:
    """Tags of the venue's resources, which get ``CONVENTIONAL_TAGS`` more."""
    found = tags(value)
    if len(found) > 50 - CONVENTIONAL_TAGS:
        raise InvalidValue(f"has {len(found)} entries; AWS takes 50 at most, and {CONVENTIONAL_TAGS} more are added")
    for key in found:
        if key.casefold().startswith(OWN_TAGS):
            raise InvalidValue(f"the key {key!r} begins with {OWN_TAGS!r}, which is reserved for the kit's own tags")
    return found


def _is_tag_text(content: str) -> bool:
    return all(unicodedata.category(char)[0] in "LZN" or char in "_.:/=+-@" for char in content)


def timezone(value: Any) -> str:
    """A zone of the IANA database on this machine."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # few inventories need it

    try:
        ZoneInfo(text(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidValue(
            f"{value!r} is not a time zone of this machine's database, such as America/Los_Angeles"
        ) from error
    return str(value)


def endpoint_url(value: Any) -> str:
    url = text(value)
    try:
        parsed = urlsplit(url)
        _ = parsed.port  # raises ValueError if it is not a number
    except ValueError as error:
        raise InvalidValue(f"is not a URL: {error}") from error
    if parsed.username is not None or parsed.password is not None:
        raise InvalidValue("has credentials; remove them from the URL")
    is_address = _is_host(parsed.hostname or "") and not (parsed.query or parsed.fragment or " " in url)
    if parsed.scheme not in ("http", "https") or not is_address:
        raise InvalidValue(f"{url!r} must be an http or https URL, such as https://127.0.0.1:4566")
    return url


def _is_host(name: str) -> bool:
    """Return whether a name can be a host's; for another botocore raises an error that is not AWS's."""
    try:
        ip_address(name)
    except ValueError:
        label = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
        return len(name) <= 253 and re.fullmatch(rf"({label}\.)*{label}", name) is not None
    return True


def public_key(value: Any) -> str:
    """Check a key's text, perhaps of several lines (PEM), or a file's name; ``inventory.check`` tries to encrypt."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue(f"expected strings, found {kind(value)}")
    key = value.strip()
    if key.rpartition("/")[2] in _PRIVATE_KEY_FILES:
        raise InvalidValue(f"{key!r} is the name of a private key; give the public one, {key + '.pub'!r}")
    if not key.startswith(_KEY_TEXTS) and ("\n" in key or not key.casefold().endswith(_KEY_FILES)):
        raise InvalidValue(
            f"{key[:24]!r} cannot be encrypted to; give age1..., ssh-ed25519, ssh-rsa, a certificate as PEM,"
            f" or a file of one ({', '.join(_KEY_FILES)})"
        )
    return key


def venue_name(value: Any, context: Context) -> str:
    name = text(value)
    if name not in context.hosts:
        from venue_access.inventory.suggestions import did_you_mean

        raise InvalidValue(f"no venue is named {name!r}{did_you_mean(name, context.hosts)}")
    return name
