"""The variables of a venue, each declared once: type, validation, default, documentation and example.

Validation, the table of docs/inventory.md and ``invoke inventory.schema`` are made from these declarations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from venue_access.inventory import value_types as types
from venue_access.inventory.recipients import USERS, Recipient
from venue_access.inventory.value_types import EmulatorSeed, LedgerBucket, StateBackend, Type, list_of, or_null

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def variable(
    kind: Type[Any], meaning: str, example: str, *, default: Any = MISSING, documented_default: str | None = None
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


@dataclass(frozen=True, kw_only=True)
class Variables:
    """The variables of a venue, in the order of the documentation."""

    project: str = variable(types.NAME, "With `venue` and `role_prefix` it makes every name.", "unity")
    venue: str = variable(
        types.NAME,
        "A given one must agree with the host name.",
        "dev",
        documented_default="the host name without `<project>-`",
    )
    account_id: str = variable(
        types.ACCOUNT_ID,
        "The AWS account. In quotes: YAML reads an unquoted one as a number.",
        '"111122223333"',
    )
    region: str = variable(types.REGION, "The AWS region; the partition follows from it.", "us-gov-west-1")
    partition: str = variable(
        types.PARTITION,
        "Needed only for a region that is newer than this version of the kit.",
        "aws",
        documented_default="the region's",
    )
    role_prefix: str = variable(
        types.ROLE_PREFIX,
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
    s3_allow_delete: bool = variable(types.BOOLEAN, "Whether a token may delete objects.", "true", default=False)
    kms_key_arns: tuple[str, ...] = variable(
        list_of(types.KMS_KEY_ARN, "list of key ARNs"),
        "Keys that the buckets are encrypted with.",
        '["arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"]',
        default=(),
    )
    ecr_repository_prefixes: tuple[str, ...] = variable(
        list_of(
            types.ECR_PREFIX,
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
    ecr_shared: bool = variable(
        types.BOOLEAN,
        "Whether the prefixes may overlap those of other venues of the account that set it too.",
        "true",
        default=False,
    )
    external_id_kms_key: str | None = variable(
        types.PARAMETER_KEY,
        "The KMS key, of the venue's region, that encrypts the external ID's SSM parameter. Without it an existing"
        " parameter keeps its key, and a new one has the account's default key.",
        "alias/venue-access",
        default=None,
    )
    trusted_principals: tuple[str, ...] = variable(
        list_of(
            types.PRINCIPAL,
            "list of ARNs",
            least=1,
            hint=", so nobody could assume the role; name at least one ARN",
        ),
        "Roles and users that may assume the role, or a whole account as `arn:aws:iam::<account>:root`. No wildcards."
        " For a portal's keys, the role they are a session of.",
        '["arn:aws:iam::111122223333:role/venue-operator"]',
        documented_default="required; with `emulator` the emulator's operator role",
    )
    require_mfa: bool = variable(
        types.BOOLEAN,
        "Only callers who signed in with MFA may assume the role. The session of a role, such as a portal's keys, never"
        " counts as one.",
        "true",
        default=False,
    )
    principal_org_id: str | None = variable(
        types.ORG_ID, "Only callers of this AWS organization.", "o-a1b2c3d4e5", default=None
    )
    source_cidrs: tuple[str, ...] = variable(
        list_of(types.CIDR, "list of address ranges"), "Only from these addresses.", "[198.51.100.0/24]", default=()
    )
    source_identity: bool = variable(
        types.BOOLEAN, "Send the recipient's name as source identity with each token.", "true", default=False
    )
    session_tags: Mapping[str, str] = variable(
        types.SESSION_TAGS, "Send these session tags with each token; at most 50.", "{Platform: unity}", default=_EMPTY
    )
    trust_policy_limit: int = variable(
        types.TRUST_POLICY_LIMIT,
        'The account\'s IAM quota "Role trust policy length", 2048 to 8192: set it if AWS has raised the quota.',
        "4096",
        default=2048,
    )
    permissions_boundary: str | None = variable(
        types.BOUNDARY,
        "The boundary of the role. It must exist, and is looked for before anything is applied. With"
        " `ssm:/unity/cs/account/privilegedpolicyname` its name is read from that SSM parameter, in the venue's account"
        " and region.",
        "mcp-tenantOperator-AMI-APIG",
        default=None,
    )
    role_path: str = variable(
        types.ROLE_PATH, "The path of the role and its policies; begins and ends in `/`.", "/ops/", default="/"
    )
    max_session_duration: int = variable(
        types.SESSION_SECONDS,
        "The longest session of the role, 3600 to 43200. Credentials that are a role's session themselves get one hour"
        " at most.",
        "7200",
        default=3600,
    )
    tags: Mapping[str, str] = variable(
        types.RESOURCE_TAGS,
        "Tags of every resource, in addition to those of [the platform's convention](#tags); at most 39.",
        '{CostCenter: "4711"}',
        default=_EMPTY,
    )
    aws_profile: str | None = variable(
        types.PROFILE, "The profile of `~/.aws/config` that reaches the account.", "unity-operator", default=None
    )
    operator_role_arn: str | None = variable(
        types.ROLE_ARN,
        "The role that reaches the account, in a session named after you.",
        "arn:aws:iam::111122223333:role/venue-operator",
        default=None,
    )
    aws_endpoint_url: str | None = variable(
        types.ENDPOINT, "An AWS-compatible endpoint instead of AWS.", "https://127.0.0.1:4566", default=None
    )
    emulator: bool = variable(
        types.BOOLEAN, "The venue is on the AWS emulator, which starts by itself.", "true", default=False
    )
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
        types.FOLDER_NAME,
        "Venues that name the same stack share one Terraform root module and state: see [below](#stacks).",
        "unity",
        documented_default="the host name",
    )
    users: Mapping[str, Recipient] = variable(
        USERS, "Who receives tokens: see [below](#users).", "{alice: {email: alice@example.org}}", default=_EMPTY
    )
    users_only: bool = variable(types.BOOLEAN, "Only the `users` get a token.", "true", default=False)
    contact: str | None = variable(
        types.EMAIL,
        "Whom recipients ask: in the note beside an encrypted token, and the sender of an S/MIME message.",
        "issuer@example.org",
        default=None,
    )
    strict_variables: bool = variable(
        types.BOOLEAN,
        "Whether an unknown variable that looks like a misspelt one is an error instead of a warning.",
        "true",
        default=False,
    )


FIELDS: Mapping[str, Field[Any]] = MappingProxyType({each.name: each for each in fields(Variables)})
VARIABLES = tuple(FIELDS)


def default_of(name: str) -> Any:
    """Return the default of a variable, or None if it is required or computed."""
    each = FIELDS[name]
    if each.default_factory is not MISSING:
        return each.default_factory()
    return None if each.default is MISSING else each.default


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the variables in a file, such as ``group_vars/all.yml``.

    No variable is required, as another file may have it; ``#/$defs/venue`` adds what all
    variables of a venue together need.
    """
    from venue_access.inventory.documents import parse

    properties: dict[str, Any] = {}
    for name, each in FIELDS.items():
        schema = or_null(each.metadata["type"].schema)
        schema["description"] = each.metadata["meaning"]
        schema["examples"] = [parse(f"value: {each.metadata['example']}")["value"]]
        if each.metadata["default"] is None and each.default is not MISSING:
            schema["default"] = list(each.default) if isinstance(each.default, tuple) else each.default
        properties[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Variables of a venue",
        "type": ["object", "null"],
        "properties": properties,
        "$defs": {
            "venue": {
                "required": ["project", "account_id", "region"],
                "anyOf": [
                    {"required": ["trusted_principals"]},
                    {"required": ["emulator"], "properties": {"emulator": {"const": True}}},
                ],
            }
        },
    }


def markdown_table() -> Iterator[str]:
    """Yield the lines of the documentation's table of variables."""
    yield from ("| variable | type | default | meaning | example |", "|---|---|---|---|---|")
    for name, each in FIELDS.items():
        about = each.metadata
        yield f"| `{name}` | {about['type'].name} | {_documented(each)} | {about['meaning']} | `{about['example']}` |"


def _documented(each: Field[Any]) -> str:
    default = default_of(each.name)
    if each.metadata["default"] is not None:
        return str(each.metadata["default"])
    if default is None:
        return "none" if each.default is None else "required"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return "`[]`" if default == () else "`{}`" if default == _EMPTY else f"`{default}`"
