"""Types of the inventory's variables: how each is validated, documented and written as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from venue_access.inventory import arns, validators
from venue_access.inventory.groups import kind, line_of
from venue_access.inventory.validators import Context, InvalidValue, Matching

_MAX_REASONS = 30  # of one value


@dataclass(frozen=True)
class Type:
    """A type of values."""

    name: str
    """For the documentation, such as ``list of names``."""
    schema: Mapping[str, Any]
    """JSON Schema, draft 2020-12."""
    validate: Callable[..., Any]
    """Takes a value, and a ``Context`` too if ``contextual``; returns the typed value or raises ``InvalidValue``."""
    contextual: bool = False

    def read(self, value: Any, context: Context) -> Any:
        """Return the typed value, or raise ``InvalidValue`` with every reason."""
        return self.validate(value, context) if self.contextual else self.validate(value)


def string(matching: Matching, name: str = "string") -> Type:
    """Return the type of a string that a pattern matches."""
    return Type(name, {"type": "string", "pattern": f"^(?:{matching.pattern})$"}, matching)


def list_of(item: Type, name: str, *, least: int = 0, hint: str = "") -> Type:
    """Return the type of a list of different items.

    :param least: how many it must have; ``hint`` says what to do about fewer.
    """

    def validate(value: Any, context: Context) -> tuple[Any, ...]:
        if not isinstance(value, list):
            quoted = "; write [ ] around it" if isinstance(value, str) else ""
            raise InvalidValue(f"expected a list, found {kind(value)}{quoted}")
        if len(value) < least:
            raise InvalidValue(f"is empty{hint}")
        found: dict[Hashable, None] = {}
        reasons: list[InvalidValue] = []
        for each in value:
            try:
                read = item.read(each, context)
                if read in found:
                    raise InvalidValue(f"duplicate {read}")
                found[read] = None
            except InvalidValue as error:
                reasons += error.all
                if len(reasons) >= _MAX_REASONS:
                    break
        if reasons:
            raise InvalidValue.of(reasons)
        return tuple(found)

    schema = {"type": "array", "items": item.schema, "uniqueItems": True, **({"minItems": least} if least else {})}
    return Type(name, schema, validate, contextual=True)


def mapping(
    keys: Mapping[str, Type], example: str, build: Callable[[dict[str, Any], Context], Any], *required: str
) -> Type:
    """Return the type of a mapping with these keys; one that is null is left out.

    :param build: takes the values by key, and returns the typed value; it checks ``required`` itself.
    """

    def validate(value: Any, context: Context) -> Any:
        if not isinstance(value, dict):
            raise InvalidValue(f"expected a mapping such as {example}, found {kind(value)}")
        found: dict[str, Any] = {}
        reasons: list[InvalidValue] = []
        for key, part in value.items():
            line = line_of(value, key)
            if key not in keys:
                from venue_access.inventory.suggestions import did_you_mean

                hint = did_you_mean(str(key), keys)
                reasons.append(InvalidValue(f"unknown key {key!r}{hint} (it has {', '.join(keys)})", line))
            elif part is not None:
                try:
                    found[key] = keys[key].read(part, context)
                except InvalidValue as error:
                    reasons += error.within(key, line)
            if len(reasons) >= _MAX_REASONS:
                break
        if reasons:
            raise InvalidValue.of(reasons)
        return build(found, context)

    properties = {key: or_null(each.schema) for key, each in keys.items()}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return Type("mapping", {**schema, **({"required": list(required)} if required else {})}, validate, contextual=True)


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema that allows null too, which counts as not given."""
    if "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


_STRING = {"type": "string", "minLength": 1}
REGION = Type("string", {"type": "string", "pattern": "^[a-z]{2,}(-[a-z]+)+-[0-9]+$"}, arns.region, contextual=True)
BUCKET = Type("string", {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"}, validators.bucket)
EMAIL = string(validators.email, "email address")
KMS_KEY_ID = string(validators.kms_key_id, "key ID, alias or ARN")
_KEY_PREFIX = string(validators.key_prefix)


# -- state, ledger, emulator_seed


@dataclass(frozen=True)
class StateBackend:
    """Where a stack's Terraform state is: on this machine, or in S3 with S3's own lock."""

    backend: str = "local"
    bucket: str | None = None
    key_prefix: str = ""
    """Empty, or ends in ``/``."""
    region: str | None = None
    kms_key_id: str | None = None

    def __str__(self) -> str:
        return "local" if self.bucket is None else f"s3://{self.bucket}/{self.key_prefix}"


def _state(given: dict[str, Any], context: Context) -> StateBackend:
    """Build ``state``; the bucket's region is the venue's by default."""
    backend = given.pop("backend", None)
    if backend is None:
        raise InvalidValue("backend is required: local or s3")
    if backend == "local":
        if given:
            raise InvalidValue(f"a local state has no {', '.join(given)}")
        return StateBackend()
    if "bucket" not in given:
        raise InvalidValue("bucket is required for the s3 backend")
    given["key_prefix"] = _with_slash(given.get("key_prefix"))
    return StateBackend(backend, **{"region": context.region, **given})


def _with_slash(prefix: str | None) -> str:
    return f"{prefix.rstrip('/')}/" if prefix else ""


STATE = mapping(
    {
        "backend": Type("string", {"type": "string", "enum": ["local", "s3"]}, validators.state_backend),
        "bucket": BUCKET,
        "key_prefix": _KEY_PREFIX,
        "region": REGION,
        "kms_key_id": KMS_KEY_ID,
    },
    "{backend: s3, bucket: <name>}",
    _state,
    "backend",
)


@dataclass(frozen=True)
class LedgerBucket:
    """Where in S3 many operators share one ledger."""

    bucket: str
    prefix: str
    """Empty, or ends in ``/``."""
    region: str
    kms_key_id: str | None = field(default=None, compare=False)
    """The key that records are encrypted with; None leaves it to the bucket."""


def _ledger_bucket(given: dict[str, Any], context: Context) -> LedgerBucket:
    if "bucket" not in given:
        raise InvalidValue("bucket is required")
    region = given.get("region") or context.region or ""
    return LedgerBucket(given["bucket"], _with_slash(given.get("prefix")), region, given.get("kms_key_id"))


_LEDGER_EXAMPLE = "{s3: {bucket: <name>, prefix: <path>}}"
_LEDGER_BUCKET = mapping(
    {"bucket": BUCKET, "prefix": _KEY_PREFIX, "region": REGION, "kms_key_id": KMS_KEY_ID},
    _LEDGER_EXAMPLE,
    _ledger_bucket,
    "bucket",
)


def _ledger(value: Any, context: Context) -> Any:
    """Read ``ledger``; the bucket's region is the venue's by default."""
    if not isinstance(value, dict) or list(value) != ["s3"] or not isinstance(value["s3"], dict):
        found = f"the keys {', '.join(map(str, value))}" if isinstance(value, dict) else kind(value)
        raise InvalidValue(f"expected {_LEDGER_EXAMPLE}, found {found}")
    return _LEDGER_BUCKET.read(value["s3"], context)


_LEDGER_SCHEMA = {"properties": {"s3": _LEDGER_BUCKET.schema}, "required": ["s3"], "additionalProperties": False}
LEDGER = Type("mapping", {"type": "object", **_LEDGER_SCHEMA}, _ledger, contextual=True)


@dataclass(frozen=True)
class EmulatorSeed:
    """What the AWS emulator has before anything is provisioned, in addition to what it always has."""

    permissions_boundaries: tuple[str, ...] = ()
    """Names or ARNs of policies in the venue's account."""


_SEED_POLICY = Type("policy", {"type": "string", "pattern": r"^\S+$"}, arns.seed_boundary, contextual=True)
EMULATOR_SEED = mapping(
    {"permissions_boundaries": list_of(_SEED_POLICY, "list of names")},
    "{permissions_boundaries: [<name>]}",
    lambda given, _: EmulatorSeed(**given),
)


# -- users


@dataclass(frozen=True)
class Recipient:
    """A person or program that receives tokens and has no AWS account."""

    name: str
    email: str | None = None
    keys: tuple[str, ...] = ()
    """Public keys that a token may be encrypted to, or the names of files with them, relative to the inventory."""
    venues: tuple[str, ...] | None = None
    """Inventory names of the venues they may use; None is every venue that lists them."""
    timezone: str | None = None
    """Of the IANA database, such as ``America/Los_Angeles``."""


_USER = mapping(
    {
        "email": EMAIL,
        "keys": list_of(Type("key", _STRING, validators.public_key), "list of keys"),
        "timezone": Type("time zone", _STRING, validators.timezone),
        "venues": list_of(Type("venue", _STRING, validators.venue_name, contextual=True), "list of venues"),
    },
    "{email: <address>}",
    lambda given, _: given,
)


def _users(value: Any, context: Context) -> dict[str, Recipient]:
    """Read ``users``, a mapping of names to null or a mapping."""
    if not isinstance(value, dict):
        raise InvalidValue(f"expected a mapping of names, found {kind(value)}")
    users: dict[str, Recipient] = {}
    names: dict[str, str] = {}
    emails: dict[str, str] = {}
    reasons: list[InvalidValue] = []
    for name, about in value.items():
        line = line_of(value, name)
        try:
            user = Recipient(validators.recipient_name(name))
        except InvalidValue as error:
            reasons.append(InvalidValue(str(error), line))
            continue
        try:
            user = Recipient(user.name, **_USER.read(about or {}, context))
        except InvalidValue as error:
            reasons += error.within(name, line)
        other = names.setdefault(user.name.casefold(), user.name)
        if other != user.name:
            reasons.append(InvalidValue(f"{other!r} and {user.name!r} differ only in case", line))
        if user.email:
            other = user.email if user.email in users else emails.setdefault(user.email.casefold(), user.name)
            if other != user.name:
                reasons.append(InvalidValue(f"{other!r} and {user.name!r} have the same email", line))
        users[user.name] = user
    if reasons:
        raise InvalidValue.of(reasons)
    return users


USERS = Type(
    "mapping of names",
    {
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{validators.recipient_name.pattern})$"},
        "additionalProperties": or_null(_USER.schema),
    },
    _users,
    contextual=True,
)
