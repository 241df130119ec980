"""scripts/bootstrap: packages that are pinned and checked, a Terraform that is new enough."""

from __future__ import annotations

import http.server
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scripts import bootstrap_terraform
from tests.functional.checkout import UNREACHABLE, Checkout, digest
from venue_access.provisioning.cli_config import target

ARCHIVE = f"terraform_{bootstrap_terraform.PINNED}_{target()}.zip"


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """One for all tests that leave its packages alone."""
    checkout = Checkout(tmp_path_factory.mktemp("installed"))
    code, said = checkout.bootstrap(
        "--emulator", PIP_TARGET="/nowhere", PIP_NO_BINARY=":all:", PIP_REQUIRE_VIRTUALENV="1"
    )
    assert (code, said.splitlines()[-1]) == (0, "bootstrap: ready; next: .venv/bin/invoke --list")
    return checkout


@pytest.fixture
def with_terraform(installed: Checkout) -> Iterator[Checkout]:
    yield installed
    installed.have_terraform("1.11.4")
    shutil.rmtree(installed.work / "bin", ignore_errors=True)


def test_only_the_requested_layers_are_installed(installed: Checkout) -> None:
    assert [installed.imports(f"tiny_{layer}") for layer in ("runtime", "emulator", "dev")] == [True, True, False]


def test_venv_is_made_of_the_python_below_an_active_venv(installed: Checkout) -> None:
    home = next(line for line in (installed.path / ".venv" / "pyvenv.cfg").read_text().splitlines() if "home" in line)
    assert home == f"home = {sys.base_prefix}/bin"


def test_second_run_is_silent_and_quick(installed: Checkout) -> None:
    began = time.monotonic()
    assert installed.bootstrap() == (0, "")
    assert time.monotonic() - began < 1


def test_missing_package_is_reinstalled(installed: Checkout) -> None:
    for left in installed.path.glob(".venv/lib/python*/site-packages/tiny_runtime*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    assert installed.bootstrap()[0] == 0
    assert installed.imports("tiny_runtime")


def test_package_with_wrong_hash_is_refused(installed: Checkout) -> None:
    installed.lock("dev", f"tiny-dev==1.0 --hash=sha256:{'0' * 64}\n")
    code, said = installed.bootstrap("--dev")
    assert code == 2
    assert "bootstrap: error: pip failed: THESE PACKAGES DO NOT MATCH THE HASHES" in said
    assert installed.bootstrap("--emulator") == (0, "")


def test_unreachable_index_is_one_message(installed: Checkout) -> None:
    index = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": UNREACHABLE, "PIP_RETRIES": "1"}
    installed.lock("dev", f"tiny-other==1.0 --hash=sha256:{'0' * 64}\n")
    code, said = installed.bootstrap("--dev", **index)
    assert code == 2
    assert said.splitlines()[-1].strip().startswith("check the network, or the configuration of the package index")
    assert "Traceback" not in said


@pytest.mark.soak
def test_venv_without_its_python_is_replaced(fresh: Checkout) -> None:
    (fresh.path / ".venv" / "bin").mkdir(parents=True)
    (fresh.path / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    code, said = fresh.bootstrap()
    assert (code, said.count("making .venv")) == (0, 1)
    assert fresh.imports("tiny_runtime")


def test_killed_run_is_repaired_by_the_next(fresh: Checkout) -> None:
    killed = fresh.start()
    wait_for(fresh.path / ".venv" / "bin" / "python")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert fresh.bootstrap()[0] == 0
    assert fresh.imports("tiny_runtime")
    assert fresh.bootstrap() == (0, "")
    killed.communicate()


@pytest.mark.soak
def test_simultaneous_runs_make_one_venv(fresh: Checkout) -> None:
    both = [fresh.start(), fresh.start()]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(text.count("making .venv") for text in said) == [0, 1]
    assert fresh.imports("tiny_runtime")


def test_uv_installs_where_it_is_configured(fresh: Checkout) -> None:
    wheels = {"UV_OFFLINE": "1", "UV_FIND_LINKS": fresh.environment["PIP_FIND_LINKS"], "UV_NO_CACHE": "1"}
    fresh.environment.pop("PIP_FIND_LINKS")
    assert fresh.bootstrap(**wheels)[0] == 0
    assert fresh.imports("tiny_runtime")
    assert fresh.bootstrap(**wheels) == (0, "")
    fresh.lock("dev", f"tiny-dev==1.0 --hash=sha256:{'0' * 64}\n")
    code, said = fresh.bootstrap("--dev", **wheels)
    assert (code, "bootstrap: error: uv failed: " in said, "ash" in said) == (2, True, True)
    assert fresh.bootstrap("--emulator", **wheels)[0] == 0


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def test_read_only_checkout_is_one_message(fresh: Checkout) -> None:
    fresh.work.touch()  # where a folder should go; root, too, cannot make it then
    assert fresh.bootstrap() == (2, f"bootstrap: error: {fresh.work}: file exists\n")


def test_old_python_is_one_message(fresh: Checkout) -> None:
    old = fresh.tools / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert fresh.bootstrap(PYTHON=str(old)) == (2, f"bootstrap: error: PYTHON={old} is not a Python 3.10 or later\n")


class Releases(http.server.ThreadingHTTPServer):
    """A release site on this machine; ``asked`` is what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        assert isinstance(self.server, Releases)
        self.server.asked.append(self.path)


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    folder = tmp_path / "releases"
    archive = folder / "terraform" / bootstrap_terraform.PINNED / ARCHIVE
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as release:
        release.writestr("terraform", f"#!/bin/sh\necho 'Terraform v{bootstrap_terraform.PINNED}'\n")
        release.writestr("LICENSE.txt", "")
    with Releases(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def trusted(with_terraform: Checkout, releases: Releases) -> Iterator[Releases]:
    """The releases, with the checksum of the one they have in the checkout."""
    sums = with_terraform.path / "requirements" / f"terraform-{bootstrap_terraform.PINNED}.sha256"
    real = sums.read_text()
    sums.write_text(f"{digest(next(releases.folder.rglob('*.zip')))}  {ARCHIVE}\n")
    yield releases
    sums.write_text(real)


@pytest.mark.parametrize("version", ["1.5.7", None])
def test_terraform_is_downloaded_once_if_the_path_has_no_recent_one(
    with_terraform: Checkout, trusted: Releases, version: str | None
) -> None:
    with_terraform.have_terraform(version)
    code, said = with_terraform.bootstrap(VENUE_ACCESS_TERRAFORM_MIRROR=trusted.url)
    assert (code, said.count("\n")) == (0, 1)
    assert f"downloading Terraform {bootstrap_terraform.PINNED}" in said
    program = with_terraform.work / "bin" / "terraform"
    assert subprocess.check_output([program], text=True) == f"Terraform v{bootstrap_terraform.PINNED}\n"
    assert list(program.parent.iterdir()) == [program]
    assert with_terraform.bootstrap(VENUE_ACCESS_TERRAFORM_MIRROR=trusted.url) == (0, "")
    assert len(trusted.asked) == 1


def test_download_with_a_wrong_checksum_is_refused_and_leaves_nothing(
    with_terraform: Checkout, releases: Releases
) -> None:
    with_terraform.have_terraform("1.5.7")
    code, said = with_terraform.bootstrap(VENUE_ACCESS_TERRAFORM_MIRROR=releases.url)
    assert code == 2
    assert "does not have the checksum" in said
    assert list((with_terraform.work / "bin").iterdir()) == []


def test_no_network_and_no_terraform_is_one_message(with_terraform: Checkout) -> None:
    with_terraform.have_terraform("1.5.7")
    code, said = with_terraform.bootstrap()
    assert code == 2
    assert f"error: cannot download {UNREACHABLE}/terraform/" in said
    assert said.splitlines()[-1].strip() == bootstrap_terraform.INSTEAD
    assert list((with_terraform.work / "bin").iterdir()) == []


def test_configured_opentofu_is_used(with_terraform: Checkout) -> None:
    with_terraform.have_terraform(None)
    tofu = with_terraform.tools / "tofu"
    tofu.write_text("#!/bin/sh\necho 'OpenTofu v1.11.0'\n")
    tofu.chmod(0o755)
    assert with_terraform.bootstrap(INVOKE_TERRAFORM="tofu") == (0, "")


def test_configured_terraform_that_is_too_old_is_refused(with_terraform: Checkout) -> None:
    with_terraform.have_terraform("1.5.7")
    program = str(with_terraform.tools / "terraform")
    code, said = with_terraform.bootstrap(INVOKE_TERRAFORM=program)
    assert (code, said.splitlines()[0]) == (2, f"bootstrap: error: {program} has version 1.5.7")
