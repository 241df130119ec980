"""Which Terraform runs, with which CLI configuration and environment; bootstrap and the kit share these rules.

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

PROVIDER = "registry.terraform.io/hashicorp/aws"

# Terraform gets only the venue's credentials.
_CREDENTIALS = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
}
# These would send Terraform to another endpoint than the venue's, or make it refuse that one.
_OTHER_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")


def terraform_program(configured: str, work_directory: Path) -> str:
    """Return the Terraform to run: the configured one, or for ``terraform`` the one that bootstrap has downloaded.

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
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < (1, 11)


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
    """Return what to add to ``environ`` so that Terraform finds the provider: bootstrap's file, if the user has none.

    A ``TF_CLI_CONFIG_FILE`` that names a missing file counts as none. It is emptied, which to Terraform is the same as
    unset: otherwise it hides the user's ``~/.terraformrc``, and every command prints a warning.

    :param work_directory: the checkout's, where bootstrap writes ``terraform.rc``; the kit's may be another.
    """
    named = environ.get("TF_CLI_CONFIG_FILE")
    if named and Path(named).is_file():
        return {}
    ours = work_directory / "terraform.rc"
    if ours.is_file() and not has_own_config(home):
        return {"TF_CLI_CONFIG_FILE": str(ours)}
    return {"TF_CLI_CONFIG_FILE": ""} if named else {}


def installs_from_the_registry(environ: Mapping[str, str], home: Path) -> bool:
    """Return whether Terraform downloads providers into each stack's folder: no mirror or cache is configured.

    :param environ: Terraform's, with what ``cli_config_environment`` adds.
    """
    return not (environ.get("TF_CLI_CONFIG_FILE") or environ.get("TF_PLUGIN_CACHE_DIR") or has_own_config(home))


def has_own_config(home: Path) -> bool:
    """Return whether the user has a CLI configuration of Terraform or OpenTofu."""
    files = [home / ".terraformrc", home / ".tofurc", *home.glob(".terraform.d/*.tfrc")]
    return any(file.is_file() for file in files)


def terraform_environment(
    environ: Mapping[str, str], keys: Credentials, region: str, endpoint: Endpoint | None
) -> dict[str, str]:
    """Return Terraform's environment: the operator's, with this stack's credentials, less what changes the result."""
    result = {
        name: value
        for name, value in environ.items()
        # TF_LOG would log credentials and policies; TF_VAR_..., TF_CLI_ARGS... and the like change what is applied.
        if name not in _CREDENTIALS
        and (not name.startswith("TF_") or name in ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"))
        and not (endpoint is not None and name.startswith(_OTHER_ENDPOINTS))
        and not (name == "GODEBUG" and "http2debug" in value)  # it would print the headers of requests
    }
    if endpoint is not None:
        result["AWS_ENDPOINT_URL"] = endpoint.url
        if endpoint.ca_file is not None:  # the emulator, for which the operator's own configuration is not meant
            result["AWS_CA_BUNDLE"] = str(endpoint.ca_file)
            result["AWS_CONFIG_FILE"] = result["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    # Terraform and its provider are short-lived: collecting garbage less often makes a plan a tenth faster, for 150 MB
    # more (benchmarks/main_job.py).
    result.setdefault("GOGC", "400")
    fixed = {"AWS_EC2_METADATA_DISABLED": "true", "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    return {**result, **keys.environment(), **fixed, "AWS_REGION": region}
