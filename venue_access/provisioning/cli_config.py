"""Which Terraform runs, and where it takes the AWS provider from: what bootstrap and the kit must agree on.

Terraform's own rules: https://developer.hashicorp.com/terraform/cli/config/config-file
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def terraform_program(environ: Mapping[str, str], work_directory: Path) -> str:
    """The Terraform to run: the one that ``INVOKE_TERRAFORM`` names, else bootstrap's own, else the ``PATH``'s.

    :param work_directory: the checkout's, as for ``cli_config_environment``.
    """
    downloaded = work_directory / "bin" / "terraform"
    return environ.get("INVOKE_TERRAFORM") or (str(downloaded) if downloaded.exists() else "terraform")


def cli_config_environment(environ: Mapping[str, str], home: Path, work_directory: Path) -> dict[str, str]:
    """What to add to ``environ`` so that Terraform finds the provider: the file bootstrap wrote, if the user has none.

    A variable that names a missing file is set to nothing, which is the same to Terraform as not set: left alone
    it hides the user's ``~/.terraformrc`` and brings a warning to every command.

    :param work_directory: the checkout's, where bootstrap writes ``terraform.rc``, wherever the kit's own may be.
    """
    overrides = {name: environ[name] for name in ("TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG") if environ.get(name)}
    if any(Path(file).is_file() for file in overrides.values()):
        return {name: "" for name, file in overrides.items() if not Path(file).is_file()}
    nothing = dict.fromkeys(overrides, "")
    ours = work_directory / "terraform.rc"
    if has_own_config(home) or not ours.is_file():
        return nothing
    return nothing | {"TF_CLI_CONFIG_FILE": str(ours)}


def has_own_config(home: Path) -> bool:
    """Whether the user has a CLI configuration where Terraform and OpenTofu look for one."""
    return any((home / name).is_file() for name in (".terraformrc", ".tofurc")) or any(home.glob(".terraform.d/*.tfrc"))
