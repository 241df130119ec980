"""Which Terraform runs, which CLI configuration it reads, and in which environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from venue_access.aws.client import Credentials, Endpoint
from venue_access.provisioning.cli_config import (
    cli_config_environment,
    installs_from_the_registry,
    terraform_environment,
    terraform_program,
)
from venue_access.sensitive import Secret

KEYS = Credentials("ASIAVENUE", Secret("secret"), Secret("token"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return touched(tmp_path / "home" / ".profile").parent


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work directory in which bootstrap wrote a configuration."""
    return touched(tmp_path / "work" / "terraform.rc").parent


def touched(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_bootstraps_file_is_used_without_one_of_the_user(home: Path, work: Path) -> None:
    assert cli_config_environment({}, home, work) == {"TF_CLI_CONFIG_FILE": str(work / "terraform.rc")}


def test_nothing_is_set_without_any_file(home: Path, tmp_path: Path) -> None:
    assert cli_config_environment({}, home, tmp_path / "fresh") == {}
    assert cli_config_environment({"TF_CLI_CONFIG_FILE": ""}, home, tmp_path / "fresh") == {}


def test_file_that_the_user_names_is_used(home: Path, work: Path) -> None:
    theirs = touched(home / "ci.tfrc")
    assert cli_config_environment({"TF_CLI_CONFIG_FILE": str(theirs)}, home, work) == {}


@pytest.mark.parametrize("name", [".terraformrc", ".tofurc", ".terraform.d/company.tfrc"])
def test_file_in_the_users_home_is_used(home: Path, work: Path, name: str) -> None:
    touched(home / name)
    assert cli_config_environment({}, home, work) == {}


def test_credentials_of_terraform_login_are_ignored(home: Path, work: Path) -> None:
    touched(home / ".terraform.d" / "credentials.tfrc.json")
    assert cli_config_environment({}, home, work) == {"TF_CLI_CONFIG_FILE": str(work / "terraform.rc")}


def test_missing_named_file_falls_back_to_bootstraps(home: Path, work: Path) -> None:
    environ = {"TF_CLI_CONFIG_FILE": str(home / "gone")}
    assert cli_config_environment(environ, home, work) == {"TF_CLI_CONFIG_FILE": str(work / "terraform.rc")}


def test_missing_named_file_falls_back_to_the_users_home(home: Path, work: Path) -> None:
    touched(home / ".terraformrc")
    environ = {"TF_CLI_CONFIG_FILE": str(home / "gone")}
    assert cli_config_environment(environ, home, work) == {"TF_CLI_CONFIG_FILE": ""}


def test_missing_named_file_is_unset_without_any_other(home: Path, tmp_path: Path) -> None:
    environ = {"TF_CLI_CONFIG_FILE": str(home / "gone")}
    assert cli_config_environment(environ, home, tmp_path / "fresh") == {"TF_CLI_CONFIG_FILE": ""}


@pytest.mark.parametrize("environ", [{}, {"TF_CLI_CONFIG_FILE": ""}])
def test_provider_comes_from_the_registry_without_configuration(home: Path, environ: dict[str, str]) -> None:
    assert installs_from_the_registry(environ, home)
    assert not installs_from_the_registry({**environ, "TF_PLUGIN_CACHE_DIR": "theirs"}, home)
    assert not installs_from_the_registry({"TF_CLI_CONFIG_FILE": "a.tfrc"}, home)
    touched(home / ".terraformrc")
    assert not installs_from_the_registry(environ, home)


def test_downloaded_terraform_replaces_the_default(work: Path) -> None:
    assert terraform_program("terraform", work) == "terraform"
    downloaded = touched(work / "bin" / "terraform")
    assert terraform_program("terraform", work) == str(downloaded)


def test_configured_terraform_precedes_the_downloaded_one(work: Path) -> None:
    touched(work / "bin" / "terraform")
    assert terraform_program("tofu", work) == "tofu"


def test_environment_has_credentials_and_no_run_settings() -> None:
    environ = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "AWS_PROFILE": "other",
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
        "AWS_SECURITY_TOKEN": "old",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "TF_LOG": "TRACE",
        "TF_VAR_venues": "{}",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_WORKSPACE": "other",
        "TF_CLI_CONFIG_FILE": "/rc",
    }
    real = terraform_environment(environ, KEYS, "us-west-2", None)
    assert real == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "TF_CLI_CONFIG_FILE": "/rc",
        "AWS_ACCESS_KEY_ID": "ASIAVENUE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",
        "TF_IN_AUTOMATION": "1",
    }
    emulator = terraform_environment(environ, KEYS, "us-west-2", Endpoint("https://127.0.0.1:1", Path("/ca.pem")))
    assert emulator["AWS_ENDPOINT_URL"] == "https://127.0.0.1:1"
    assert emulator["AWS_CA_BUNDLE"] == "/ca.pem"
    assert "AWS_ENDPOINT_URL_S3" not in emulator
