"""The module and a rendered root, in the hands of the real Terraform; nothing here needs an AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import OTHER_ACCOUNT, PORTAL, a_full_venue, a_rendering, a_venue, buckets_of, some_ids
from venue_access.config import assets
from venue_access.inventory.model import StateBackend, Venue
from venue_access.policies.documents import managed_policies, trust_policy
from venue_access.provisioning.cli_config import cli_config_environment, terraform_program
from venue_access.provisioning.render import managed_resources, venue_data
from venue_access.templates import hcl_literal

CHECKOUT = Path(__file__).parents[2]
DOWNLOADS = CHECKOUT / ".venue-access"

KEY = "arn:aws:kms:us-west-2:111122223333:key/00000000-2222-3333-4444-555555555555"
VENUES = (
    a_venue(),
    a_full_venue(),
    a_venue("unity-mixed", trusted_principals=(PORTAL, OTHER_ACCOUNT), source_identity=True),
    a_venue("unity-whole", trusted_principals=(OTHER_ACCOUNT,), source_cidrs=("192.0.2.0/24",)),
    a_venue("unity-tagged", session_tags={"purpose": "review"}, trusted_principals=(PORTAL, PORTAL)),
    a_venue("unity-keyed", kms_key_arns=(KEY, KEY)),
)

# Stands in for credentials, so that a plan needs no AWS: documents are made locally, and nothing exists to refresh.
OFFLINE = """
provider "aws" {
  access_key                  = "none"
  secret_key                  = "none"
  allowed_account_ids         = null
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}
"""


def terraform(folder: Path, *arguments: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    found = cli_config_environment(os.environ, Path.home(), DOWNLOADS)
    done = subprocess.run(
        [terraform_program(os.environ.get("INVOKE_TERRAFORM", "terraform"), DOWNLOADS), *arguments],
        cwd=folder,
        env=clean | found | {"CHECKPOINT_DISABLE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered root of several venues, initialized."""
    folder = write(tmp_path_factory.mktemp("root"), a_rendering(*VENUES).files)
    terraform(folder, "init", "-input=false")
    return folder


@pytest.fixture(scope="module")
def planned(root: Path) -> dict[str, Any]:
    """The values of a plan that makes everything, by address."""
    (root / "offline_override.tf").write_text(OFFLINE, encoding="utf-8")
    shown = terraform(root, "plan", "-input=false", "-no-color", "-out=saved.tfplan")
    assert not re.search(":(current|pending)", shown + terraform(root, "plan", "-input=false", "-json"))
    plan = json.loads(terraform(root, "show", "-json", "saved.tfplan"))
    return {
        resource["address"]: resource["values"]
        for module in plan["planned_values"]["root_module"]["child_modules"]
        for resource in module["resources"]
    }


def test_init_keeps_committed_lock_file(root: Path) -> None:
    committed = (assets("terraform") / ".terraform.lock.hcl").read_text(encoding="utf-8")
    assert (root / ".terraform.lock.hcl").read_text(encoding="utf-8") == committed


def test_rendered_root_is_valid_and_formatted(root: Path, tmp_path: Path) -> None:
    assert json.loads(terraform(root, "validate", "-json"))["diagnostics"] == []
    terraform(root, "fmt", "-check", "-recursive", "-diff")
    state = StateBackend("s3", bucket="tf-state", kms_key_id="alias/state")
    venue = a_venue(state=state)
    write(tmp_path, a_rendering(venue, imports=managed_resources(venue)).files)
    terraform(tmp_path, "fmt", "-check", "-recursive", "-diff")


def test_module_and_tests_are_formatted() -> None:
    terraform(assets("terraform"), "fmt", "-check", "-recursive", "-diff")


def test_addresses_match_import(planned: dict[str, Any]) -> None:
    assert set(planned) == {resource.address for venue in VENUES for resource in managed_resources(venue)}


@pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.name)
def test_planned_policies_match_documents(planned: dict[str, Any], venue: Venue) -> None:
    module = f'module.venue["{venue.name}"]'
    ids = some_ids(venue, rotating=bool(venue.session_tags))
    rendered = {
        "trust": planned[f"{module}.aws_iam_role.this"]["assume_role_policy"],
        "s3": planned[f'{module}.aws_iam_policy.this["s3"]']["policy"],
        "ecr": planned[f'{module}.aws_iam_policy.this["ecr"]']["policy"],
    }
    documents = {"trust": trust_policy(venue, ids), **managed_policies(venue, buckets_of(venue))}
    assert {name: json.loads(text) for name, text in rendered.items()} == documents


@pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.name)
def test_names_match_venue(planned: dict[str, Any], venue: Venue) -> None:
    module = f'module.venue["{venue.name}"]'
    role = planned[f"{module}.aws_iam_role.this"]
    assert (role["name"], role["path"]) == (venue.role_name, venue.role_path)
    assert role["permissions_boundary"] == venue.permissions_boundary_arn
    assert role["max_session_duration"] == venue.max_session_duration
    for service in ("s3", "ecr"):
        policy = planned[f'{module}.aws_iam_policy.this["{service}"]']
        assert (policy["name"], policy["path"]) == (venue.policy_name(service), venue.role_path)
    parameter = planned[f"{module}.aws_ssm_parameter.external_id"]
    assert (parameter["name"], parameter["type"]) == (venue.external_id_parameter, "SecureString")
    assert parameter["value"] == f"{venue.name}:current"


def test_hostile_values_reach_terraform_unchanged(tmp_path: Path) -> None:
    hostile = [
        "${path.root} $${a} %{ if true }x%{ endif } %%{b}",
        "\"'\\ \\n \n\r\t\b\f\x7f",
        "Größe ☃ \U0001d4b3 \u2028 <&>",
    ]
    text = "".join(hostile)
    venue = a_venue(s3_buckets=(text,), source_cidrs=(text,), principal_org_id=text, tags={text: text})
    files = a_rendering(venue).files
    literals = ", ".join(map(hcl_literal, hostile))
    outputs = f'output "venues" {{\n  value = var.venues\n}}\noutput "literals" {{\n  value = [{literals}]\n}}\n'
    kept = ("variables.tf", "stack.auto.tfvars.json", "external_ids.auto.tfvars.json")
    write(tmp_path, {**{name: files[name] for name in kept}, "outputs.tf": outputs})
    terraform(tmp_path, "apply", "-input=false", "-auto-approve")
    came_out = json.loads(terraform(tmp_path, "output", "-json"))
    assert came_out["literals"]["value"] == hostile
    expected = json.loads(json.dumps(venue_data(venue, managed_policies(venue, buckets_of(venue)))))
    assert came_out["venues"]["value"] == {"unity-dev": expected}


def test_module_tests_pass(root: Path, tmp_path: Path) -> None:
    terraform_folder = assets("terraform")
    folder = shutil.copytree(terraform_folder / "modules" / "venue_access", tmp_path / "module")
    shutil.copy(terraform_folder / ".terraform.lock.hcl", folder)
    # The provider that the root was initialized with serves the module too.
    shutil.copytree(root / ".terraform" / "providers", folder / ".terraform" / "providers", symlinks=True)
    assert "0 failed" in terraform(folder, "test", "-no-color")
