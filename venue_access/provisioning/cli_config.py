"""Which Terraform runs, and where it takes the AWS provider from: what bootstrap and the kit must agree on.

Terraform's own rules: https://developer.hashicorp.com/terraform/cli/config/config-file
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from venue_access.aws.client import Credentials, Endpoint

OLDEST_TERRAFORM = (1, 11)
PROVIDER = "registry.terraform.io/hashicorp/aws"

# What names credentials in Terraform's environment: only the venue's own may be there.
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)

# What would send Terraform elsewhere than to the venue's own endpoint, or makes it refuse one.
_OTHER_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")


def terraform_program(configured: str, work_directory: Path) -> str:
    """The Terraform to run: the one configured; for plain ``terraform`` the one bootstrap downloaded, if it had to.

    :param work_directory: the checkout's, as for ``cli_config_environment``.
    """
    downloaded = work_directory / "bin" / "terraform"
    return str(downloaded) if configured == "terraform" and downloaded.exists() else configured


def terraform_version(program: str, environ: Mapping[str, str]) -> str | None:
    """Return the version of a Terraform or OpenTofu, such as ``1.11.4``; None if the program prints none."""
    try:
        done = subprocess.run(
            [program, "version"],
            env={**environ, "CHECKPOINT_DISABLE": "1"},  # asking HashiCorp for newer versions takes a second
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"(?:Terraform|OpenTofu) v(\d+\.\d+\S*)", done.stdout)
    return found[1] if found else None


def is_too_old(version: str) -> bool:
    """Return whether a version of Terraform is older than the kit requires."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_TERRAFORM


def provider_version(lock: str) -> str:
    """Return the version of the AWS provider in a dependency lock file; ``*`` for any, if it has none."""
    found = re.search(rf'"{re.escape(PROVIDER)}" {{\s+version\s*= "([^"]+)"', lock)
    return found[1] if found else "*"


def holds_provider(mirror: Path, target: str, version: str) -> bool:
    """Return whether a filesystem mirror has the AWS provider, unpacked or as the release's archive.

    :param target: a platform, as ``target`` returns it.
    """
    folder = mirror / PROVIDER
    layouts = (f"{version}/{target}", f"terraform-provider-aws_{version}_{target}.zip")
    return any(next(folder.glob(layout), None) for layout in layouts)


def target() -> str:
    """Return the platform of this machine in Terraform's form, such as ``linux_amd64``."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def cli_config_environment(environ: Mapping[str, str], home: Path, work_directory: Path) -> dict[str, str]:
    """What to add to ``environ`` so that Terraform finds the provider: the file bootstrap wrote, if the user has none.

    A ``TF_CLI_CONFIG_FILE`` that names a missing file counts as none. It is set to nothing, which to Terraform is the
    same as not set: left alone it hides the user's ``~/.terraformrc`` and brings a warning to every command.

    :param work_directory: the checkout's, where bootstrap writes ``terraform.rc``, wherever the kit's own may be.
    """
    named = environ.get("TF_CLI_CONFIG_FILE")
    if named and Path(named).is_file():
        return {}
    ours = work_directory / "terraform.rc"
    if ours.is_file() and not has_own_config(home):
        return {"TF_CLI_CONFIG_FILE": str(ours)}
    return {"TF_CLI_CONFIG_FILE": ""} if named else {}


def installs_from_the_registry(environ: Mapping[str, str], home: Path) -> bool:
    """Whether nothing says where providers are, nor where they are kept.

    :param environ: as Terraform has it, with what ``cli_config_environment`` adds.
    """
    return not (environ.get("TF_CLI_CONFIG_FILE") or environ.get("TF_PLUGIN_CACHE_DIR") or has_own_config(home))


def has_own_config(home: Path) -> bool:
    """Whether the user has a CLI configuration where Terraform and OpenTofu look for one."""
    files = [home / ".terraformrc", home / ".tofurc", *home.glob(".terraform.d/*.tfrc")]
    return any(file.is_file() for file in files)


def terraform_environment(
    environ: Mapping[str, str], keys: Credentials, region: str, endpoint: Endpoint | None
) -> dict[str, str]:
    """The environment for Terraform: the operator's own, with this stack's keys and nothing that bends the run."""
    kept = {
        name: value
        for name, value in environ.items()
        # TF_LOG would write keys and policies to a log; TF_VAR_..., TF_CLI_ARGS... and the like change what is applied.
        if name not in _CREDENTIALS
        and (not name.startswith("TF_") or name in ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"))
        and not (endpoint is not None and name.startswith(_OTHER_ENDPOINTS))
        and not (name == "GODEBUG" and "http2debug" in value)  # it would print the headers of requests
    }
    if endpoint is not None:
        kept["AWS_ENDPOINT_URL"] = endpoint.url
        if endpoint.ca_file is not None:
            # On this machine: nothing of the operator's own configuration is meant for it.
            own = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
            kept |= {"AWS_CA_BUNDLE": str(endpoint.ca_file), **own}
    return {
        **kept,
        **keys.environment(),
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        # Terraform and its provider are short-lived and mostly start up: collecting garbage less often takes a tenth
        # off a plan for 150 MB more (benchmarks/main_job.py).
        "GOGC": kept.get("GOGC", "400"),
        "TF_IN_AUTOMATION": "1",
    }
