"""Render the root module of a stack: from venues and their documents to Terraform's files, and read it back.

``terraform/`` is copied as it is. What differs from stack to stack is data in ``*.auto.tfvars.json``, save what
Terraform takes only as a literal, in the backend and in import blocks: those two files are templates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from venue_access.aws.types import SECURE_STRING
from venue_access.config import assets
from venue_access.errors import RenderError
from venue_access.inventory.model import Venue
from venue_access.policies.compare import external_ids_in
from venue_access.policies.documents import (
    MANAGED_POLICY_LIMIT,
    PENDING,
    SERVICES,
    ExternalIds,
    Policy,
    compact,
    managed_policies,
    parse_policy,
    size,
    trust_policy,
)
from venue_access.provisioning.stack import Stack, tags
from venue_access.sensitive import ExternalId
from venue_access.templates import hcl_literal, render_template

DATA_FILE = "stack.auto.tfvars.json"
EXTERNAL_IDS_FILE = "external_ids.auto.tfvars.json"
IMPORTS_FILE = "imports.tf"
LOCK_FILE = ".terraform.lock.hcl"

_ROLE_DESCRIPTION = "Short-term access to a venue's data bucket and containers, for people without an account"
_PENDING_LENGTH = 64
"""Characters that a trust policy must have left for a pending external ID, or it could never be rotated."""


@dataclass(frozen=True)
class Import:
    """An object that exists already: the address Terraform keeps it at, and the ID by which it is imported."""

    address: str
    id: str


@dataclass(frozen=True)
class OrphanedVenue:
    """A venue as it was last rendered, of which this run renders nothing new."""

    data: Mapping[str, Any]
    """As ``venue_data`` made it."""
    external_ids: ExternalIds
    trust_policy: str | None = field(default=None, repr=False)
    """As JSON, with the external IDs in the clear; None where an earlier release rendered it."""


@dataclass(frozen=True)
class Rendering:
    """The files of a root module by their names in it, ``/`` between folders.

    They are the whole root module: a ``*.tf`` or ``*.tfvars.json`` that is not among them must be removed.
    ``external_ids.auto.tfvars.json`` holds the external IDs in the clear.
    """

    files: Mapping[str, str] = field(repr=False)


def render(
    stack: Stack,
    *,
    buckets: Mapping[str, Sequence[str]],
    external_ids: Mapping[str, ExternalIds],
    imports: Sequence[Import] = (),
    orphaned: Mapping[str, OrphanedVenue] = MappingProxyType({}),
    parameter_types: Mapping[str, str] = MappingProxyType({}),
    custom_endpoint: bool = False,
) -> Rendering:
    """Return the root module of a stack.

    :param buckets: the data buckets of each venue, by its inventory name.
    :param external_ids: likewise its external IDs.
    :param imports: the objects to import; take them from ``managed_resources``.
    :param orphaned: the venues to render as they were last rendered. Terraform destroys what its configuration leaves
        out, so they must be in it.
    :param parameter_types: the type of each venue's parameter where it exists; a new one is a ``SecureString``.
    :param custom_endpoint: whether the stack's AWS answers at another URL than AWS's own.
    :raises RenderError: a value is missing, or a policy would be longer than AWS accepts.
    """
    venues = [venue for venue in stack.venues if venue.name not in orphaned]
    known = {resource.address for venue in venues for resource in managed_resources(venue)}
    for imported in imports:
        if imported.address not in known:  # an address is written into HCL as it is
            raise RenderError(f"stack {stack.name}: nothing is managed at {imported.address}")
    data: dict[str, Mapping[str, Any]] = {}
    current, trust = {}, {}
    for venue in venues:
        if not buckets.get(venue.name):
            raise RenderError(f"{venue.name}: s3_buckets: no data bucket is known")
        ids = external_ids.get(venue.name)
        if ids is None:
            raise RenderError(f"{venue.name}: no external ID is known")
        policies = managed_policies(venue, buckets[venue.name])
        _check(venue, policies, ids)
        data[venue.name] = venue_data(venue, policies, parameter_types.get(venue.name, SECURE_STRING))
        current[venue.name] = ids.current.reveal()
        trust[venue.name] = compact(trust_policy(venue, ids))
    for name, last in orphaned.items():
        like = stack.venues[0]
        attributes = venue_data(like, managed_policies(like, ()))
        # The attributes of today's module, whichever version of the kit rendered the venue.
        data[name] = {key: last.data.get(key, value) for key, value in attributes.items()}
        current[name] = last.external_ids.current.reveal()
        trust[name] = last.trust_policy or compact(trust_policy(like, last.external_ids))
    folder = assets("terraform")
    files = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in [*sorted(folder.rglob("*.tf")), folder / LOCK_FILE]
    }
    state = stack.state_location
    files |= {
        "versions.tf": render_template("stack/versions.tf.j2", state=state, custom_endpoint=custom_endpoint),
        DATA_FILE: _json({"account_id": stack.account_id, "region": stack.region, "venues": data}),
        EXTERNAL_IDS_FILE: _json({"external_ids": current, "trust_policies": trust}),
    }
    if imports:
        files[IMPORTS_FILE] = render_template("stack/imports.tf.j2", imports=imports)
    return Rendering(files)


def venue_data(venue: Venue, policies: Mapping[str, Policy], parameter_type: str = SECURE_STRING) -> dict[str, Any]:
    """Return one venue as the root module's variable ``venues`` takes it.

    :param policies: the managed policies, as ``managed_policies`` returns them.
    :raises RenderError: the permissions boundary was not read from the parameter that has it: the role would get none.
    """
    if venue.boundary_parameter is not None:
        raise RenderError(f"{venue.name}: the permissions boundary in {venue.boundary_parameter} was not read")
    return {
        "role_name": venue.role_name,
        "role_path": venue.role_path,
        "role_description": _ROLE_DESCRIPTION,
        "max_session_duration": venue.max_session_duration,
        "permissions_boundary": venue.permissions_boundary_arn,
        # Others may attach policies to the role: AWS would refuse to delete it, and it could still be assumed.
        "force_detach_policies": True,
        "policies": {
            service: {"name": venue.policy_name(service), "document": compact(policy)}
            for service, policy in policies.items()
        },
        "external_id_parameter": venue.external_id_parameter,
        "external_id_parameter_description": f"External ID that the trust policy of {venue.role_name} demands",
        "external_id_parameter_type": parameter_type,
        "external_id_kms_key": venue.external_id_kms_key if parameter_type == SECURE_STRING else None,
        "tags": tags(venue),
    }


def managed_resources(venue: Venue) -> tuple[Import, ...]:
    """Return every object that Terraform manages for a venue, with the ID by which it is imported."""
    module = f"module.venue[{hcl_literal(venue.name)}]"
    role, arns = venue.role_name, {service: venue.policy_arn(service) for service in SERVICES}
    return (
        Import(f"{module}.aws_iam_role.this", role),
        *(Import(f'{module}.aws_iam_policy.this["{key}"]', arn) for key, arn in arns.items()),
        *(Import(f'{module}.aws_iam_role_policy_attachment.this["{key}"]', f"{role}/{arns[key]}") for key in arns),
        Import(f"{module}.aws_ssm_parameter.external_id", venue.external_id_parameter),
    )


def _check(venue: Venue, policies: Mapping[str, Policy], ids: ExternalIds) -> None:
    """Refuse what AWS would refuse, and a trust policy also if it leaves no space for a pending external ID."""
    for key, external_id in (("current", ids.current), ("pending", ids.pending)):
        if external_id is not None and not external_id.fits:
            raise RenderError(
                f"{venue.name}: the {key} external ID is not one that AWS accepts",
                hint="an external ID is 2 to 1224 ASCII letters, digits or _+=,.@:/-",
            )
    rotating = ExternalIds(ids.current, ids.pending or ExternalId("-" * _PENDING_LENGTH))
    trust_remedy = "trusted_principals; or, where the account's quota for it was raised, set trust_policy_limit"
    for name, policy, limit, remedy in (
        ("trust policy", trust_policy(venue, rotating), venue.trust_policy_limit, trust_remedy),
        ("S3 policy", policies["s3"], MANAGED_POLICY_LIMIT, "s3_buckets or kms_key_arns"),
        ("ECR policy", policies["ecr"], MANAGED_POLICY_LIMIT, "ecr_repository_prefixes"),
    ):
        if size(policy) > limit:
            raise RenderError(
                f"{venue.name}: the {name} would be {size(policy):,} characters long; AWS takes {limit:,}",
                hint=f"shorten {remedy}",
            )


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def last_rendering(folder: Path) -> dict[str, OrphanedVenue]:
    """Return the venues of a root module as they were last rendered, by name; none where it is incomplete."""
    try:
        data = json.loads((folder / DATA_FILE).read_text(encoding="utf-8"))["venues"]
        confidential = json.loads((folder / EXTERNAL_IDS_FILE).read_text(encoding="utf-8"))
        documents = confidential.get("trust_policies", {})
        return {
            name: OrphanedVenue(data[name], _rendered_ids(own, documents.get(name)), documents.get(name))
            for name, own in confidential["external_ids"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _rendered_ids(rendered: str | Mapping[str, str | None], trust_policy: str | None) -> ExternalIds:
    if isinstance(rendered, str):
        pending = external_ids_in(parse_policy(trust_policy or "{}")).get(PENDING, ())
        return ExternalIds(ExternalId(rendered), *pending)
    incoming = rendered["incoming"]  # an earlier release's, which wrote no trust policy
    return ExternalIds(ExternalId(rendered["current"] or ""), ExternalId(incoming) if incoming else None)
