from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import a_full_venue, a_rendering, a_stack, a_venue, buckets_of, some_ids
from venue_access.config import assets
from venue_access.errors import RenderError
from venue_access.inventory.model import StateBackend, Venue
from venue_access.inventory.validators import CONVENTIONAL_TAGS
from venue_access.policies.documents import ExternalIds, compact, managed_policies, size, trust_policy
from venue_access.provisioning import stack as tagging
from venue_access.provisioning.render import (
    DATA_FILE,
    EXTERNAL_IDS_FILE,
    Import,
    OrphanedVenue,
    managed_resources,
    render,
    venue_data,
)
from venue_access.provisioning.stack import tags
from venue_access.provisioning.venue_checks import with_known_boundaries
from venue_access.sensitive import ExternalId

GOLDEN = Path(__file__).parents[2] / "golden" / "stack"
S3 = StateBackend("s3", bucket="tf-state", key_prefix="venues/", region="us-east-1", kms_key_id="alias/state")


def test_two_venues_render_as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set UPDATE_GOLDEN=1 to take what is rendered now, and read the difference."""
    monkeypatch.setattr(tagging, "CAPABILITY_VERSION", "1.2.3")
    dev, full = a_venue(state=S3), a_full_venue(state=S3)
    own = {
        name: text
        for name, text in a_rendering(dev, full, imports=managed_resources(dev)).files.items()
        if not (assets("terraform") / name).exists()
    }
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for name, text in own.items():
            (GOLDEN / name).write_text(text, encoding="utf-8")
    assert own == {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}


def test_root_module_is_complete() -> None:
    files = a_rendering().files
    folder = assets("terraform")
    copied = {name: text for name, text in files.items() if (folder / name).exists()}
    module = {f"modules/venue_access/{name}.tf" for name in ("main", "outputs", "variables", "versions")}
    assert copied.keys() == {"main.tf", "outputs.tf", "variables.tf", ".terraform.lock.hcl", *module}
    assert copied == {name: (folder / name).read_text(encoding="utf-8") for name in copied}


def test_external_ids_are_in_one_file_and_not_shown_by_repr() -> None:
    venue = a_full_venue()
    rendered = a_rendering(venue)
    assert [name for name, text in rendered.files.items() if "unity-full:pending" in text] == [EXTERNAL_IDS_FILE]
    assert [name for name, text in rendered.files.items() if "unity-full:current" in text] == [EXTERNAL_IDS_FILE]
    assert json.loads(rendered.files[EXTERNAL_IDS_FILE]) == {
        "external_ids": {"unity-full": "unity-full:current"},
        "trust_policies": {"unity-full": compact(trust_policy(venue, some_ids(venue, rotating=True)))},
    }
    assert "unity-full:current" not in repr(rendered)


def test_policies_of_a_rendering_are_the_documents() -> None:
    venue = a_full_venue()
    data = json.loads(a_rendering(venue).files[DATA_FILE])["venues"]["unity-full"]
    documents = managed_policies(venue, buckets_of(venue))
    assert {key: json.loads(each["document"]) for key, each in data["policies"].items()} == documents
    assert {each["name"] for each in data["policies"].values()} == {venue.policy_name(key) for key in documents}


def test_state_is_local_by_default() -> None:
    assert 'backend "local" {}' in a_rendering().files["versions.tf"]


def test_s3_backend_at_a_custom_endpoint_has_the_bucket_in_the_path() -> None:
    venue = a_venue(state=S3)
    given: dict[str, Any] = {"buckets": {"unity-dev": ("data",)}, "external_ids": {"unity-dev": some_ids(venue)}}
    assert "use_path_style" not in render(a_stack(venue), **given).files["versions.tf"]
    assert "use_path_style = true" in render(a_stack(venue), **given, custom_endpoint=True).files["versions.tf"]


def test_import_blocks_exist_only_for_imports() -> None:
    venue = a_venue()
    role, *_, parameter = managed_resources(venue)
    assert "imports.tf" not in a_rendering(venue).files
    imports = a_rendering(venue, imports=(role, parameter)).files["imports.tf"]
    assert imports.count("import {") == 2
    assert 'to = module.venue["unity-dev"].aws_ssm_parameter.external_id' in imports


def test_foreign_address_is_not_imported() -> None:
    with pytest.raises(RenderError, match="nothing is managed at aws_iam_user"):
        a_rendering(imports=(Import("aws_iam_user.x", "x"),))
    with pytest.raises(RenderError, match="unity-ops"):
        a_rendering(imports=managed_resources(a_venue("unity-ops")))


def test_six_objects_are_managed_for_a_venue_each_at_its_address_with_its_import_id() -> None:
    at = 'module.venue["unity-dev"]'
    policy = "arn:aws:iam::111122223333:policy/unity-unity-dev-sts"
    assert {resource.address: resource.id for resource in managed_resources(a_venue())} == {
        f"{at}.aws_iam_role.this": "unity-unity-dev-sts",
        f'{at}.aws_iam_policy.this["s3"]': f"{policy}-s3",
        f'{at}.aws_iam_policy.this["ecr"]': f"{policy}-ecr",
        f'{at}.aws_iam_role_policy_attachment.this["s3"]': f"unity-unity-dev-sts/{policy}-s3",
        f'{at}.aws_iam_role_policy_attachment.this["ecr"]': f"unity-unity-dev-sts/{policy}-ecr",
        f"{at}.aws_ssm_parameter.external_id": "/unity/unity/dev/cs/sts/role/external-id",
    }


def test_inventory_tag_replaces_default_in_any_case() -> None:
    assert tags(a_venue())["Env"] == "dev"
    replaced = tags(a_venue(tags={"env": "production", "Owner": "anna"}))
    assert replaced["env"] == "production"
    assert "Env" not in replaced
    assert {"Name", "Proj", "Venue", "Stack", "ServiceArea", "Capability", "CapVersion", "Component"} < set(replaced)


def test_unread_boundary_is_an_error() -> None:
    with pytest.raises(RenderError, match=r"unity-dev: the permissions boundary in /platform/boundary was not read"):
        a_rendering(a_venue(permissions_boundary="ssm:/platform/boundary"))


def test_boundaries_are_as_read_or_else_as_last_rendered() -> None:
    read, last, neither = (a_venue(f"unity-{name}", permissions_boundary="ssm:/b") for name in ("a", "b", "c"))
    named = a_venue("unity-d", permissions_boundary="own")
    theirs = {
        name: OrphanedVenue({"permissions_boundary": "arn:last"}, some_ids(a_venue()))
        for name in ("unity-a", "unity-b")
    }
    stack = with_known_boundaries(a_stack(read, last, neither, named), {"unity-a": "read"}, theirs)
    assert [venue.permissions_boundary for venue in stack.venues] == ["read", "arn:last", None, "own"]


def test_venue_of_another_version_gets_current_attributes() -> None:
    earlier = {"role_name": "theirs", "s3_buckets": ["data"], "ecr_repository_prefix": "unity-old/"}
    stack = a_stack(a_venue())
    rendered = render(
        stack,
        buckets={"unity-dev": ("data",)},
        external_ids={"unity-dev": some_ids(a_venue())},
        orphaned={"unity-old": OrphanedVenue(earlier, some_ids(a_venue("unity-old")))},
    )
    venues = json.loads(rendered.files[DATA_FILE])["venues"]
    assert venues["unity-old"].keys() == venues["unity-dev"].keys()
    assert venues["unity-old"]["role_name"] == "theirs"


def test_tags_follow_the_platforms_convention() -> None:
    venue = a_venue("Unity-DEV_2", stack="Shared-West")
    assert tags(venue) == {
        "Name": "unity-unity-dev_2-sts",
        "Proj": "unity",
        "Venue": "dev2",
        "Env": "dev2",
        "ServiceArea": "cs",
        "CreatedBy": "cs",
        "Capability": "sts",
        "CapVersion": tagging.CAPABILITY_VERSION,
        "Component": "venueaccess",
        "Stack": "venueaccess",
        "venue-access:stack": "Shared-West",
    }
    assert len(tags(venue)) == CONVENTIONAL_TAGS


def test_repeated_tags_follow_the_tags_that_the_inventory_replaces() -> None:
    replaced = tags(a_venue(tags={"component": "Sounder", "ServiceArea": "sps", "VENUE": "ops", "CreatedBy": "anna"}))
    assert (replaced["Stack"], replaced["Env"], replaced["CreatedBy"]) == ("Sounder", "ops", "anna")
    assert tags(a_venue(tags={"stack": "theirs"}))["venue-access:stack"] == "shared"


def test_inventory_reaches_terraform_only_as_data() -> None:
    hostile = '${file("/etc/passwd")} %{ if true } "\'\\ \n Größe ☃'
    text_fields: dict[str, Any] = {
        field.name: (hostile,) if field.type.startswith("tuple") else hostile
        for field in dataclasses.fields(Venue)
        if field.type in ("str", "str | None", "tuple[str, ...]")
        and field.name not in ("name", "stack", "trusted_principals", "permissions_boundary")
    }
    venue = a_venue(**text_fields, permissions_boundary=f"arn:{hostile}", tags={hostile: hostile})
    files = a_rendering(venue).files
    assert json.loads(files["stack.auto.tfvars.json"])["venues"]["unity-dev"]["tags"][hostile] == hostile
    assert {name for name, text in files.items() if "Größe" in text} == {DATA_FILE, EXTERNAL_IDS_FILE}


@pytest.mark.parametrize(
    ("buckets", "external_ids", "message"),
    [
        ({}, {"unity-dev": some_ids(a_venue())}, "unity-dev: s3_buckets: no data bucket is known"),
        ({"unity-dev": ("b",)}, {}, "unity-dev: no external ID is known"),
        (
            {"unity-dev": ("b",)},
            {"unity-dev": ExternalIds(ExternalId("not allowed\n"))},
            "unity-dev: the current external ID is not one that AWS accepts",
        ),
        (
            {"unity-dev": ("b",)},
            {"unity-dev": ExternalIds(ExternalId("current"), ExternalId("x"))},
            "unity-dev: the pending external ID is not one that AWS accepts",
        ),
    ],
)
def test_missing_or_wrong_value_is_named_with_its_venue(
    buckets: dict[str, tuple[str, ...]], external_ids: dict[str, ExternalIds], message: str
) -> None:
    with pytest.raises(RenderError, match=message) as raised:
        render(a_stack(), buckets=buckets, external_ids=external_ids)
    assert "not allowed" not in str(raised.value)
    assert raised.value.exit_code == 3


def test_too_long_policy_is_refused_before_the_run() -> None:
    roles = tuple(f"arn:aws:iam::111122223333:role/{'r' * 60}{number}" for number in range(20))
    with pytest.raises(
        RenderError, match=r"unity-dev: the trust policy would be [\d,]+ characters long; AWS takes 2,048"
    ):
        a_rendering(a_venue(trusted_principals=roles))
    a_rendering(a_venue(trusted_principals=roles, trust_policy_limit=8192))
    keys = tuple(f"arn:aws:kms:us-west-2:111122223333:key/{number}" for number in range(200))
    with pytest.raises(RenderError, match=r"unity-dev: the S3 policy would be [\d,]+ characters long; AWS takes 6,144"):
        a_rendering(a_venue(kms_key_arns=keys))


def test_trust_policy_leaves_space_for_a_rotation() -> None:
    role = "arn:aws:iam::111122223333:role/" + "r" * 64
    fitting = a_venue(trusted_principals=(role,), source_identity=True)
    long = ExternalIds(ExternalId("x" * 1224))
    assert size(trust_policy(fitting, long)) < fitting.trust_policy_limit - 100
    with pytest.raises(RenderError, match="trust policy"):
        render(a_stack(fitting), buckets={"unity-dev": ("b",)}, external_ids={"unity-dev": long})


def test_orphaned_venue_has_every_variable() -> None:
    """Its last rendering lacks what was added since, and a plan of the whole stack would fail for it."""
    gone = a_venue("unity-gone")
    earlier = {
        key: value
        for key, value in venue_data(gone, managed_policies(gone, ["data"])).items()
        if key != "external_id_kms_key"
    }
    rendered = render(
        a_stack(),
        buckets={"unity-dev": ("data",)},
        external_ids={"unity-dev": some_ids(a_venue())},
        orphaned={"unity-gone": OrphanedVenue(earlier, some_ids(gone))},
    )
    venues = json.loads(rendered.files[DATA_FILE])["venues"]
    assert venues["unity-gone"].keys() == venues["unity-dev"].keys()
    assert venues["unity-gone"]["role_name"] == gone.role_name


def test_only_string_parameter_keeps_its_type() -> None:
    dev, other = a_venue(), a_venue("unity-other")
    rendered = render(
        a_stack(dev, other),
        buckets={each.name: ("data",) for each in (dev, other)},
        external_ids={each.name: some_ids(each) for each in (dev, other)},
        parameter_types={"unity-dev": "String"},
    )
    venues = json.loads(rendered.files[DATA_FILE])["venues"]
    types = {name: each["external_id_parameter_type"] for name, each in venues.items()}
    assert types == {"unity-dev": "String", "unity-other": "SecureString"}
