"""The variables of a venue, each declared once: type, validation, default, documentation and example.

Validation, the table of docs/inventory.md and ``invoke inventory.schema`` are made from these declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from venue_access.inventory import arns, validators
from venue_access.inventory import value_types as types
from venue_access.inventory.validators import InvalidValue
from venue_access.inventory.value_types import (
    EmulatorSeed,
    LedgerBucket,
    Recipient,
    StateBackend,
    Type,
    list_of,
    string,
)

_EMPTY: Mapping[str, Any] = MappingProxyType({})


_BOOLEAN = Type("true or false", {"type": "boolean"}, validators.boolean)
_NAME = string(validators.segment)
_ACCOUNT_ID = Type("string of 12 digits", {"type": "string", "pattern": "^[0-9]{12}$"}, validators.account_id)
_PARTITION = Type("string", {"type": "string", "enum": list(arns.DNS_SUFFIXES)}, arns.partition)
_CIDR = Type("address range", {"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}, validators.cidr)
_ENDPOINT = Type("URL", {"type": "string", "pattern": "^https?://"}, validators.endpoint_url)
_TAGS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 256}}
_SESSION_TAGS = Type("mapping of strings", {**_TAGS, "maxProperties": 50}, validators.tags)
_RESOURCE_TAGS = Type(
    "mapping of strings", {**_TAGS, "maxProperties": 50 - validators.CONVENTIONAL_TAGS}, validators.resource_tags
)


def _arn(name: str, validate: Callable[..., str], pattern: str) -> Type:
    return Type(name, {"type": "string", "pattern": pattern}, validate, contextual=True)


_PRINCIPAL = _arn("ARN", arns.principal, "^arn:[^*?$]+$")
_ROLE_ARN = _arn("role ARN", arns.operator_role, "^arn:[a-z-]+:iam::[0-9]{12}:role/.+$")
_BOUNDARY = _arn("policy name or ARN, or `ssm:` and a parameter's name", arns.permissions_boundary, r"^\S+$")
_KMS_KEY_ARN = _arn("key ARN", arns.kms_key, "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$")


def _whole_number(name: str, least: int, most: int, expected: str) -> Type:
    def validate(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InvalidValue(f"expected {expected}, found {value!r}")
        return value

    return Type(name, {"type": "integer", "minimum": least, "maximum": most}, validate)


_SESSION_SECONDS = _whole_number("seconds", 3600, 43200, "whole seconds from 3600 to 43200 (12 hours)")
"""IAM takes no shorter maximum for a role, although a single session may be as short as 900."""
_TRUST_POLICY_LIMIT = _whole_number("characters", 2048, 8192, "a whole number of characters from 2048 to 8192")
"""Source: IAM User Guide, "IAM and AWS STS quotas", Role trust policy length: 2,048 by default, 8,192 at most."""


def variable(
    kind: Type, meaning: str, example: str, *, default: Any = MISSING, documented_default: str | None = None
) -> Any:
    """Declare a variable of a venue.

    :param example: as YAML.
    :param default: MISSING if it is required, or computed from other variables.
    :param documented_default: how the documentation writes the default, if not as the value itself.
    """
    metadata = {"type": kind, "meaning": meaning, "example": example, "default": documented_default}
    if isinstance(default, (StateBackend, MappingProxyType)):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


def flag(meaning: str) -> Any:
    """Declare a variable that is true or false, and false by default."""
    return variable(_BOOLEAN, meaning, "true", default=False)


@dataclass(frozen=True, kw_only=True)
class Variables:
    """The variables of a venue, in the order of the documentation."""

    project: str = variable(_NAME, "With `venue` and `role_prefix` it makes every name.", "unity")
    venue: str = variable(
        _NAME,
        "A given one must agree with the host name.",
        "dev",
        documented_default="the host name without `<project>-`",
    )
    account_id: str = variable(
        _ACCOUNT_ID,
        "The AWS account. In quotes: YAML reads an unquoted one as a number.",
        '"111122223333"',
    )
    region: str = variable(types.REGION, "The AWS region; the partition follows from it.", "us-gov-west-1")
    partition: str = variable(
        _PARTITION,
        "Needed only for a region that is newer than this version of the kit.",
        "aws",
        documented_default="the region's",
    )
    role_prefix: str = variable(
        Type("string", _NAME.schema, validators.role_prefix),
        "The role is `<role_prefix>-<project>-<venue>-sts`, its external ID in the SSM parameter"
        " `/<role_prefix>/<project>/<venue>/cs/sts/role/external-id`.",
        "mdps",
        default="unity",
    )
    s3_buckets: tuple[str, ...] | None = variable(
        list_of(
            types.BUCKET,
            "list of names",
            least=1,
            hint="; name a bucket, or leave it out for the one that the platform's SSM parameter has",
        ),
        "The venue's data buckets, which exist already.",
        "[unity-dev-data]",
        default=None,
        documented_default="the bucket in the SSM parameter `/<role_prefix>/<project>/<venue>/ds/datastore-bucket`",
    )
    s3_allow_delete: bool = flag("Whether a token may delete objects.")
    kms_key_arns: tuple[str, ...] = variable(
        list_of(_KMS_KEY_ARN, "list of key ARNs"),
        "Keys that the buckets are encrypted with.",
        '["arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"]',
        default=(),
    )
    ecr_repository_prefixes: tuple[str, ...] = variable(
        list_of(
            string(validators.ecr_prefix),
            "list of strings that end in `/`",
            least=1,
            hint="; name a prefix, or leave it out for the default",
        ),
        "Prefixes of the repositories that a token may create, push and pull. The platform's own repositories are"
        " `<project>/<name>`.",
        "[unity-dev/, unity/]",
        default=(),
        documented_default="`[<project>-<venue>/]` in lower case",
    )
    ecr_shared: bool = flag("Whether the prefixes may overlap those of other venues of the account that set it too.")
    external_id_kms_key: str | None = variable(
        Type(types.KMS_KEY_ID.name, types.KMS_KEY_ID.schema, arns.parameter_key, contextual=True),
        "The KMS key, of the venue's region, that encrypts the external ID's SSM parameter. Without it an existing"
        " parameter keeps its key, and a new one has the account's default key.",
        "alias/venue-access",
        default=None,
    )
    trusted_principals: tuple[str, ...] = variable(
        list_of(
            _PRINCIPAL,
            "list of ARNs",
            least=1,
            hint=", so nobody could assume the role; name at least one ARN",
        ),
        "Roles and users that may assume the role, or a whole account as `arn:aws:iam::<account>:root`. No wildcards."
        " For a portal's keys, the role they are a session of.",
        '["arn:aws:iam::111122223333:role/venue-operator"]',
        documented_default="required; with `emulator` the emulator's operator role",
    )
    require_mfa: bool = flag(
        "Only callers who signed in with MFA may assume the role. The session of a role, such as a portal's keys, never"
        " counts as one."
    )
    principal_org_id: str | None = variable(
        string(validators.org_id), "Only callers of this AWS organization.", "o-a1b2c3d4e5", default=None
    )
    source_cidrs: tuple[str, ...] = variable(
        list_of(_CIDR, "list of address ranges"), "Only from these addresses.", "[198.51.100.0/24]", default=()
    )
    source_identity: bool = flag("Send the recipient's name as source identity with each token.")
    session_tags: Mapping[str, str] = variable(
        _SESSION_TAGS, "Send these session tags with each token; at most 50.", "{Platform: unity}", default=_EMPTY
    )
    trust_policy_limit: int = variable(
        _TRUST_POLICY_LIMIT,
        'The account\'s IAM quota "Role trust policy length", 2048 to 8192: set it if AWS has raised the quota.',
        "4096",
        default=2048,
    )
    permissions_boundary: str | None = variable(
        _BOUNDARY,
        "The boundary of the role. It must exist, and is looked for before anything is applied. With"
        " `ssm:/unity/cs/account/privilegedpolicyname` its name is read from that SSM parameter, in the venue's account"
        " and region.",
        "mcp-tenantOperator-AMI-APIG",
        default=None,
    )
    role_path: str = variable(
        string(validators.role_path),
        "The path of the role and its policies; begins and ends in `/`.",
        "/ops/",
        default="/",
    )
    max_session_duration: int = variable(
        _SESSION_SECONDS,
        "The longest session of the role, 3600 to 43200. Credentials that are a role's session themselves get one hour"
        " at most.",
        "7200",
        default=3600,
    )
    tags: Mapping[str, str] = variable(
        _RESOURCE_TAGS,
        "Tags of every resource, in addition to those of [the platform's convention](#tags); at most 39.",
        '{CostCenter: "4711"}',
        default=_EMPTY,
    )
    aws_profile: str | None = variable(
        string(validators.profile_name),
        "The profile of `~/.aws/config` that reaches the account.",
        "unity-operator",
        default=None,
    )
    operator_role_arn: str | None = variable(
        _ROLE_ARN,
        "The role that reaches the account, in a session named after you.",
        "arn:aws:iam::111122223333:role/venue-operator",
        default=None,
    )
    aws_endpoint_url: str | None = variable(
        _ENDPOINT, "An AWS-compatible endpoint instead of AWS.", "https://127.0.0.1:4566", default=None
    )
    emulator: bool = flag("The venue is on the AWS emulator, which starts by itself.")
    emulator_seed: EmulatorSeed | None = variable(
        types.EMULATOR_SEED,
        "What the AWS emulator has in addition to the buckets that the inventory names and the platform's permissions"
        " boundaries: `permissions_boundaries`, a list of names. For venues with `emulator` only. Another boundary is"
        " not found, as on AWS.",
        "{permissions_boundaries: [platform/boundary]}",
        default=None,
    )
    state: StateBackend = variable(
        types.STATE,
        "Where Terraform's state is: see [below](#state).",
        "{backend: s3, bucket: platform-terraform-state}",
        default=StateBackend(),
        documented_default="`{backend: local}`",
    )
    ledger: LedgerBucket | None = variable(
        types.LEDGER,
        "Where many operators share one ledger: see [below](#ledger). Without it, a file in the work directory.",
        "{s3: {bucket: platform-ledger, prefix: venue-access/}}",
        default=None,
    )
    stack: str = variable(
        string(validators.folder_name),
        "Venues that name the same stack share one Terraform root module and state: see [below](#stacks).",
        "unity",
        documented_default="the host name",
    )
    users: Mapping[str, Recipient] = variable(
        types.USERS, "Who receives tokens: see [below](#users).", "{alice: {email: alice@example.org}}", default=_EMPTY
    )
    users_only: bool = flag("Only the `users` get a token.")
    contact: str | None = variable(
        types.EMAIL,
        "Whom recipients ask: in the note beside an encrypted token, and the sender of an S/MIME message.",
        "issuer@example.org",
        default=None,
    )
    strict_variables: bool = flag(
        "Whether an unknown variable that looks like a misspelt one is an error instead of a warning."
    )


FIELDS: Mapping[str, Field[Any]] = MappingProxyType({each.name: each for each in fields(Variables)})
VARIABLES = tuple(FIELDS)


def default_of(name: str) -> Any:
    """Return the default of a variable, or None if it is required or computed."""
    each = FIELDS[name]
    if each.default_factory is not MISSING:
        return each.default_factory()
    return None if each.default is MISSING else each.default
