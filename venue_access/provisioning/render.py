"""From a stack to the files of its Terraform root: pure, and the one module that knows Jinja2.

Templates hold structure. Every value of the inventory arrives as data in ``*.auto.tfvars.json``, save the few that
Terraform takes only as literals, in backends and import blocks; those pass through ``hcl_literal``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from venue_access.aws.types import SECURE_STRING
from venue_access.errors import RenderError
from venue_access.inventory.model import Venue
from venue_access.policies import documents as policies
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.tags import tags
from venue_access.sensitive import ExternalId

DATA_FILE = "stack.auto.tfvars.json"
EXTERNAL_IDS_FILE = "external_ids.auto.tfvars.json"
IMPORTS_FILE = "imports.tf"
MODULE = "modules/venue_access"
LOCK_FILE = ".terraform.lock.hcl"

_ROOM_FOR_INCOMING = 64
"""The length of an incoming external ID that a trust policy must have room for, or it could never be rotated."""

_TRUST_REMEDY = "trusted_principals; or, where the account's quota for it was raised, set trust_policy_limit"


@dataclass(frozen=True)
class Import:
    """An object that exists already: the address Terraform keeps it at, and the ID by which it is imported."""

    address: str
    id: str


@dataclass(frozen=True)
class OrphanedVenue:
    """A venue that left the inventory, as it was last rendered."""

    data: Mapping[str, Any]
    """As ``venue_data`` made it."""
    external_ids: ExternalIds


@dataclass(frozen=True)
class Rendering:
    """The files of a stack's root by their names in it, ``/`` between folders.

    They are the whole root: a ``*.tf`` or ``*.tfvars.json`` of an earlier rendering that is not among them must go.
    ``external_ids.auto.tfvars.json`` holds the external IDs in the clear.
    """

    files: Mapping[str, str] = field(repr=False)


def render(
    stack: Stack,
    *,
    buckets: Mapping[str, Sequence[str]],
    external_ids: Mapping[str, ExternalIds],
    imports: Sequence[Import] = (),
    departed: Mapping[str, OrphanedVenue] = MappingProxyType({}),
    parameter_types: Mapping[str, str] = MappingProxyType({}),
) -> Rendering:
    """Render the Terraform root of a stack.

    :param buckets: the data buckets of each venue, by its inventory name.
    :param external_ids: likewise its external IDs.
    :param imports: what is imported; take them from ``managed_resources``.
    :param departed: the venues that the state has and the inventory has no more, which a root that left them out would
        destroy.
    :param parameter_types: the type of each venue's parameter where it exists; a new one is a ``SecureString``.
    :raises RenderError: a value is missing, or a policy would be longer than AWS takes.
    """
    for venue in stack.venues:
        _check(venue, buckets.get(venue.name, ()), external_ids.get(venue.name))
    _check_imports(stack, imports)
    ids = {
        **{name: each.external_ids for name, each in departed.items()},
        **{venue.name: external_ids[venue.name] for venue in stack.venues},
    }
    data = {
        "partition": stack.partition,
        "account_id": stack.account_id,
        "region": stack.region,
        "venues": {
            **{name: _completed(each.data, stack.venues[0]) for name, each in departed.items()},
            **{
                venue.name: venue_data(venue, buckets[venue.name], parameter_types.get(venue.name, SECURE_STRING))
                for venue in stack.venues
            },
        },
    }
    confidential = {
        "external_ids": {
            name: {"current": own.current.reveal(), "incoming": own.pending.reveal() if own.pending else None}
            for name, own in ids.items()
        }
    }
    files = {
        **_templates(stack, imports),
        DATA_FILE: _json(data),
        EXTERNAL_IDS_FILE: _json(confidential),
        **_module(),
    }
    return Rendering(files)


def venue_data(venue: Venue, buckets: Sequence[str], parameter_type: str = SECURE_STRING) -> dict[str, Any]:
    """One venue as the root's variable ``venues`` takes it.

    :raises RenderError: its permissions boundary was not read from the parameter that has it: a role without one
        would be the result.
    """
    if venue.boundary_parameter is not None:
        raise RenderError(f"{venue.name}: the permissions boundary in {venue.boundary_parameter} was not read")
    return {
        "role_name": venue.role_name,
        "role_path": venue.role_path,
        "max_session_duration": venue.max_session_duration,
        "permissions_boundary": venue.permissions_boundary_arn,
        "principal_arn_patterns": policies.principal_arn_patterns(venue),
        "trusted_accounts": policies.trusted_accounts(venue),
        "require_mfa": venue.require_mfa,
        "principal_org_id": venue.principal_org_id,
        "source_cidrs": venue.source_cidrs,
        "allow_source_identity": venue.source_identity,
        "allow_session_tags": bool(venue.session_tags),
        "s3_buckets": tuple(buckets),
        "s3_allow_delete": venue.s3_allow_delete,
        "kms_key_arns": venue.kms_key_arns,
        "ecr_repository_prefixes": venue.ecr_repository_prefixes,
        "external_id_parameter": venue.external_id_parameter,
        "external_id_parameter_type": parameter_type,
        "external_id_kms_key": venue.external_id_kms_key,
        "tags": tags(venue),
    }


def _completed(data: Mapping[str, Any], like: Venue) -> dict[str, Any]:
    """Return a venue's data as another version of the kit rendered it, with just the attributes of today's module."""
    return {key: data.get(key, value) for key, value in venue_data(like, ()).items()}


def managed_resources(venue: Venue) -> tuple[Import, ...]:
    """Every object that Terraform manages for a venue, with the ID it would be imported by."""
    module = f"module.venue[{hcl_literal(venue.name)}]"
    return (
        Import(f"{module}.aws_iam_role.this", venue.role_name),
        *(Import(f'{module}.aws_iam_policy.this["{key}"]', venue.policy_arn(key)) for key in ("s3", "ecr")),
        *(
            Import(
                f'{module}.aws_iam_role_policy_attachment.this["{key}"]', f"{venue.role_name}/{venue.policy_arn(key)}"
            )
            for key in ("s3", "ecr")
        ),
        Import(f"{module}.aws_ssm_parameter.external_id", venue.external_id_parameter),
    )


def hcl_literal(text: str) -> str:
    """``text`` as an HCL string in which nothing is interpolated (HCL Native Syntax, "Template Expressions")."""
    return '"' + re.sub(r'[\\"\x00-\x1f\x7f]|[$%](?=\{)', lambda found: f"\\u{ord(found[0]):04x}", text) + '"'


def assets(name: str) -> Path:
    """The folder ``terraform`` or ``templates``: beside the package in a checkout, inside it when installed.

    :raises RenderError: it is in neither place.
    """
    package = Path(__file__).parents[1]
    for folder in (package.parent / name, package / "_assets" / name):
        if folder.is_dir():
            return folder
    raise RenderError(f"the folder {name}/ is missing", hint="reinstall venue-access, or run from a whole checkout")


def _check(venue: Venue, buckets: Sequence[str], ids: ExternalIds | None) -> None:
    if not buckets:
        raise RenderError(f"{venue.name}: s3_buckets: no data bucket is known")
    if ids is None:
        raise RenderError(f"{venue.name}: no external ID is known")
    for key, external_id in (("current", ids.current), ("incoming", ids.pending)):
        if external_id is not None and not external_id.fits:
            raise RenderError(
                f"{venue.name}: the {key} external ID is not one that AWS takes",
                hint="an external ID is 2 to 1224 ASCII letters, digits or _+=,.@:/-",
            )
    rotating = ExternalIds(ids.current, ids.pending or ExternalId("-" * _ROOM_FOR_INCOMING))
    for name, policy, limit, remedy in (
        ("trust policy", policies.trust_policy(venue, rotating), venue.trust_policy_limit, _TRUST_REMEDY),
        ("S3 policy", policies.s3_policy(venue, buckets), policies.MANAGED_POLICY_LIMIT, "s3_buckets or kms_key_arns"),
        ("ECR policy", policies.ecr_policy(venue), policies.MANAGED_POLICY_LIMIT, "ecr_repository_prefixes"),
    ):
        if (size := policies.size(policy)) > limit:
            raise RenderError(
                f"{venue.name}: the {name} would be {size:,} characters long; AWS takes {limit:,}",
                hint=f"shorten {remedy}",
            )


def _check_imports(stack: Stack, imports: Sequence[Import]) -> None:
    # An address is written into HCL as it is, so only those that this module makes are taken.
    known = {resource.address for venue in stack.venues for resource in managed_resources(venue)}
    for imported in imports:
        if imported.address not in known:
            raise RenderError(f"stack {stack.name}: nothing is managed at {imported.address}")


def with_mfa_only(policy: Mapping[str, Any], *, partition: str, account_id: str) -> dict[str, Any]:
    """An IAM policy whose permissions a user has only with MFA: ``templates/policies/require-mfa.json.j2``.

    Without MFA nothing is left but to find one's own device, and GetSessionToken, which needs no permission.
    """
    template = _environment(assets("templates") / "policies").get_template("require-mfa.json.j2")
    try:
        text = template.render(statements=policy["Statement"], partition=partition, account_id=account_id)
        document: dict[str, Any] = json.loads(text)
    except (TemplateError, ValueError) as error:
        raise RenderError(f"template policies/require-mfa.json.j2: {error}") from error
    return document


def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # neither HCL nor JSON is HTML
    )
    environment.filters["hcl"] = hcl_literal
    environment.filters["json"] = json.dumps
    return environment


def _templates(stack: Stack, imports: Sequence[Import]) -> dict[str, str]:
    folder = assets("templates") / "stack"
    environment = _environment(folder)
    files: dict[str, str] = {}
    for path in sorted(folder.glob("*.j2")):
        if path.stem == IMPORTS_FILE and not imports:
            continue
        try:
            files[path.stem] = environment.get_template(path.name).render(stack=stack, imports=imports)
        except (TemplateError, TypeError) as error:
            raise RenderError(f"stack {stack.name}: template stack/{path.name}: {error}") from error
    return files


def _module() -> dict[str, str]:
    terraform = assets("terraform")
    sources = sorted((terraform / MODULE).glob("*.tf"))
    files = {f"{MODULE}/{path.name}": path.read_text(encoding="utf-8") for path in sources}
    return {**files, LOCK_FILE: (terraform / LOCK_FILE).read_text(encoding="utf-8")}


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
