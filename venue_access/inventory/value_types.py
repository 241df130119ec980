"""Types of the inventory's variables: how each is validated, documented and written as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from venue_access.inventory import arns, validators
from venue_access.inventory.arns import DNS_SUFFIXES
from venue_access.inventory.suggestions import did_you_mean
from venue_access.inventory.validators import Context, InvalidValue, Matching
from venue_access.inventory.values import kind, line_of

T = TypeVar("T")
_MAX_REASONS = 30
"""Of one value."""


@dataclass(frozen=True)
class Type(Generic[T]):
    """A type of values."""

    name: str
    """For the documentation, such as ``list of names``."""
    schema: Mapping[str, Any]
    """JSON Schema, draft 2020-12."""
    validate: Callable[..., T]
    """Takes a value, and a ``Context`` too if ``contextual``; returns the typed value or raises ``InvalidValue``."""
    contextual: bool = False

    def read(self, value: Any, context: Context) -> T:
        """Return the typed value.

        :raises InvalidValue: with every reason.
        """
        return self.validate(value, context) if self.contextual else self.validate(value)


def list_of(item: Type[Any], name: str, *, least: int = 0, hint: str = "") -> Type[tuple[Any, ...]]:
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


def read_mapping(value: Any, keys: Mapping[str, Type[Any]], example: str, context: Context) -> dict[str, Any]:
    """Return the typed values of a mapping with these keys; one that is null is left out.

    :raises InvalidValue: with every reason.
    """
    if not isinstance(value, dict):
        raise InvalidValue(f"expected a mapping such as {example}, found {kind(value)}")
    found: dict[str, Any] = {}
    reasons: list[InvalidValue] = []
    for key, part in value.items():
        line = line_of(value, key)
        if key not in keys:
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
    return found


def _object(keys: Mapping[str, Type[Any]], *required: str) -> dict[str, Any]:
    properties = {key: or_null(each.schema) for key, each in keys.items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema that allows null too, which counts as not given."""
    return (
        {**schema, "type": [schema["type"], "null"]} if "enum" not in schema else {"anyOf": [schema, {"type": "null"}]}
    )


def _string(name: str, matching: Matching) -> Type[str]:
    return Type(name, {"type": "string", "pattern": f"^(?:{matching.pattern})$"}, matching)


def _arn(name: str, validate: Callable[..., str], pattern: str) -> Type[str]:
    return Type(name, {"type": "string", "pattern": pattern}, validate, contextual=True)


BOOLEAN = Type("true or false", {"type": "boolean"}, validators.boolean)
NAME = _string("string", validators.segment)
ROLE_PREFIX = Type("string", NAME.schema, validators.role_prefix)
FOLDER_NAME = _string("string", validators.folder_name)
PROFILE = _string("string", validators.profile_name)
EMAIL = _string("email address", validators.email)
ORG_ID = _string("string", validators.org_id)
ROLE_PATH = _string("string", validators.role_path)
ACCOUNT_ID = Type("string of 12 digits", {"type": "string", "pattern": "^[0-9]{12}$"}, validators.account_id)
PARTITION = Type("string", {"type": "string", "enum": list(DNS_SUFFIXES)}, arns.partition)
REGION = Type("string", {"type": "string", "pattern": "^[a-z]{2,}(-[a-z]+)+-[0-9]+$"}, arns.region, contextual=True)
BUCKET = Type("string", {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"}, validators.bucket)
ECR_PREFIX = _string("string", validators.ecr_prefix)
CIDR = Type("address range", {"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}, validators.cidr)
ENDPOINT = Type("URL", {"type": "string", "pattern": "^https?://"}, validators.endpoint_url)
SESSION_SECONDS = Type("seconds", {"type": "integer", "minimum": 3600, "maximum": 43200}, validators.session_seconds)
TRUST_POLICY_LIMIT = Type(
    "characters", {"type": "integer", "minimum": 2048, "maximum": 8192}, validators.trust_policy_limit
)
_TAGS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 256}}
SESSION_TAGS = Type("mapping of strings", {**_TAGS, "maxProperties": 50}, validators.tags)
RESOURCE_TAGS = Type(
    "mapping of strings", {**_TAGS, "maxProperties": 50 - validators.CONVENTIONAL_TAGS}, validators.resource_tags
)
PRINCIPAL = _arn("ARN", arns.principal, "^arn:[^*?$]+$")
ROLE_ARN = _arn("role ARN", arns.operator_role, "^arn:[a-z-]+:iam::[0-9]{12}:role/.+$")
BOUNDARY = _arn("policy name or ARN, or `ssm:` and a parameter's name", arns.permissions_boundary, r"^\S+$")
KMS_KEY_ARN = _arn("key ARN", arns.kms_key, "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$")
KMS_KEY_ID = _string("key ID, alias or ARN", validators.kms_key_id)
PARAMETER_KEY = Type(KMS_KEY_ID.name, KMS_KEY_ID.schema, arns.parameter_key, contextual=True)
_KEY_PREFIX = _string("string", validators.key_prefix)


# -- mappings


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


def _backend(value: Any) -> str:
    if value not in ("local", "s3"):
        raise InvalidValue(f"must be local or s3, found {value!r}")
    return str(value)


_STATE = {
    "backend": Type("string", {"type": "string", "enum": ["local", "s3"]}, _backend),
    "bucket": BUCKET,
    "key_prefix": _KEY_PREFIX,
    "region": REGION,
    "kms_key_id": KMS_KEY_ID,
}


def _state(value: Any, context: Context) -> StateBackend:
    """Read ``state``; the bucket's region is the venue's by default."""
    given = read_mapping(value, _STATE, "{backend: s3, bucket: <name>}", context)
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
    given.setdefault("region", context.region)
    return StateBackend(backend="s3", **given)


def _with_slash(prefix: str | None) -> str:
    return f"{prefix.rstrip('/')}/" if prefix else ""


STATE = Type("mapping", _object(_STATE, "backend"), _state, contextual=True)


@dataclass(frozen=True)
class LedgerBucket:
    """Where in S3 many operators share one ledger."""

    bucket: str
    prefix: str
    """Empty, or ends in ``/``."""
    region: str
    kms_key_id: str | None = field(default=None, compare=False)
    """The key that records are encrypted with; None leaves it to the bucket."""


_LEDGER = {"bucket": BUCKET, "prefix": _KEY_PREFIX, "region": REGION, "kms_key_id": KMS_KEY_ID}
_LEDGER_EXAMPLE = "{s3: {bucket: <name>, prefix: <path>}}"


def _ledger(value: Any, context: Context) -> LedgerBucket:
    """Read ``ledger``; the bucket's region is the venue's by default."""
    if not isinstance(value, dict) or list(value) != ["s3"] or not isinstance(value["s3"], dict):
        found = f"the keys {', '.join(map(str, value))}" if isinstance(value, dict) else kind(value)
        raise InvalidValue(f"expected {_LEDGER_EXAMPLE}, found {found}")
    given = read_mapping(value["s3"], _LEDGER, _LEDGER_EXAMPLE, context)
    if "bucket" not in given:
        raise InvalidValue("bucket is required")
    region = given.get("region") or context.region or ""
    return LedgerBucket(given["bucket"], _with_slash(given.get("prefix")), region, given.get("kms_key_id"))


LEDGER = Type(
    "mapping",
    {
        "type": "object",
        "properties": {"s3": _object(_LEDGER, "bucket")},
        "required": ["s3"],
        "additionalProperties": False,
    },
    _ledger,
    contextual=True,
)


@dataclass(frozen=True)
class EmulatorSeed:
    """What the AWS emulator has before anything is provisioned, in addition to what it always has."""

    permissions_boundaries: tuple[str, ...] = ()
    """Names or ARNs of policies in the venue's account."""


_SEED = {"permissions_boundaries": list_of(_arn("policy", arns.seed_boundary, r"^\S+$"), "list of names")}


def _seed(value: Any, context: Context) -> EmulatorSeed:
    return EmulatorSeed(**read_mapping(value, _SEED, "{permissions_boundaries: [<name>]}", context))


EMULATOR_SEED = Type("mapping", _object(_SEED), _seed, contextual=True)
