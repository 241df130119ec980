"""Which Terraform runs, and where it takes the AWS provider from: what bootstrap and the kit must agree on.

Terraform's own rules: https://developer.hashicorp.com/terraform/cli/config/config-file
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def terraform_program(configured: str, work_directory: Path) -> str:
    """The Terraform to run: the one configured; for plain ``terraform`` the one bootstrap downloaded, if it had to.

    :param work_directory: the checkout's, as for ``cli_config_environment``.
    """
    downloaded = work_directory / "bin" / "terraform"
    return str(downloaded) if configured == "terraform" and downloaded.exists() else configured


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
