"""The settings: the work directory, Terraform, and where the inventory is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.kit import CHECKOUT, Kit, emulated
from tests.functional.three_venues import assert_one_error, is_untouched, three_venues


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The commands with three venues, on which no test here gets as far as AWS."""
    return three_venues(tmp_path)


# -- the work directory and Terraform --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["provision", "issue-token --user alice", "rotate-external-id", "local.up"])
def test_work_directory_that_is_a_file_is_refused(kit: Kit, command: str) -> None:
    kit.work_directory.write_text("mine", encoding="utf-8")
    kit.write_inventory({"unity-dev": emulated("unity-dev")})
    result = kit(*command.split())
    assert result.code == 2
    assert "not a directory" in result.err
    assert "choose another with INVOKE_WORKDIR" in result.err
    assert "Traceback" not in result.err
    assert kit.work_directory.read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; read-only mounts are in test_full_disk.py")
def test_uncreatable_work_directory_is_refused(kit: Kit) -> None:
    locked = kit.folder / "locked"
    locked.mkdir(mode=0o500)
    result = kit("local.up", INVOKE_WORKDIR=str(locked / "work"))
    assert_one_error(result, 2, saying="permission denied")


@pytest.mark.parametrize("name", ["INVOKE_WORKDIR", "INVOKE_INVENTORY", "INVOKE_TERRAFORM"])
def test_empty_setting_is_refused(kit: Kit, name: str) -> None:
    kit.environment[name] = ""
    result = kit("status")
    assert_one_error(result, 2, saying=f"{name} is empty")
    assert is_untouched(kit)


def test_missing_terraform_is_refused(tmp_path: Path, work_directory: Path) -> None:
    kit = Kit(tmp_path, work_directory)
    kit.write_inventory({"noterraform-dev": emulated("noterraform-dev")})
    result = kit("provision", INVOKE_TERRAFORM="nonexistent")
    assert result.code == 2
    assert "nonexistent is not on the PATH" in result.err
    assert "Traceback" not in result.err
    assert "failed=1" in result.out  # the recap of a run that failed is still its result


# -- paths -----------------------------------------------------------------------------------------------------------


def test_environment_paths_are_relative_to_the_current_folder(kit: Kit) -> None:
    inner = kit.folder / "inner"
    inner.mkdir()
    (inner / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"inner-dev": emulated("inner-dev")}}}))
    done = _in_folder(kit, inner, "operator-policy", INVOKE_INVENTORY="hosts.yml", INVOKE_WORKDIR="here")
    assert "role/unity-inner-dev-sts" in done.stdout
    status = _in_folder(kit, inner, "local.status", INVOKE_INVENTORY="hosts.yml", INVOKE_WORKDIR="here")
    assert "the AWS emulator is down" in status.stdout


def test_inventory_flag_overrides_environment(kit: Kit) -> None:
    other = kit.folder / "other.yml"
    other.write_text(json.dumps({"all": {"hosts": {"other-dev": emulated("other-dev")}}}))
    assert "--other-dev" in kit.done("inventory.graph", "--inventory", "other.yml").out
    assert_one_error(
        kit("inventory.graph", "--inventory", "nowhere"), 2, saying=f"{kit.folder / 'nowhere'}: no such file"
    )


@pytest.mark.parametrize("flag", ["--search-root", "-r"])
def test_default_inventory_is_the_checkouts(kit: Kit, flag: str) -> None:
    environment = {key: value for key, value in kit.environment.items() if key != "INVOKE_INVENTORY"}
    command = [sys.executable, "-m", "invoke", flag, str(CHECKOUT), "inventory.graph"]
    done = subprocess.run(command, cwd=kit.folder, env=environment, capture_output=True, text=True, check=True)
    assert "--unity-dev" in done.stdout


def _in_folder(kit: Kit, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *arguments]
    where = {**kit.environment, **environment}
    return subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, check=True)
