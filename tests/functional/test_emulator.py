"""The AWS emulator: one server per work directory, on 127.0.0.1 alone, whose state survives a stop."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.functional.kit import ACCOUNT, Kit, emulated, hang_up
from venue_access.emulator.certificate import is_valid, write_certificate
from venue_access.emulator.server import AwsEmulator, aws_emulator

LISTENING = "0A"  # the state of a socket in /proc/net/tcp


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Kit]:
    """A work directory of the test's own, whose path has a space in it; its server is stopped afterwards."""
    kit = Kit(tmp_path, tmp_path / "a work directory")
    kit.write_inventory(
        {"unity-dev": emulated("unity-dev", emulator_seed={"permissions_boundaries": ["the-boundary"]})}
    )
    yield kit
    aws_emulator(kit.work_directory).down()


def server(kit: Kit) -> AwsEmulator:
    return aws_emulator(kit.work_directory)


def pid(kit: Kit) -> int:
    return int((server(kit).folder / "pid").read_text())


def port(kit: Kit) -> int:
    return int(server(kit).endpoint().url.rsplit(":", 1)[1])


def listens_at(process: int) -> set[tuple[str, int]]:
    """The addresses and ports at which a process listens, IPv4 and IPv6."""
    sockets = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
        if found:
            sockets.add(found[1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in sockets:
                address, _, number = fields[1].rpartition(":")
                plain = socket.inet_ntoa(bytes.fromhex(address)[::-1]) if table == "tcp" else address
                addresses.add((plain, int(number, 16)))
    return addresses


def kill(kit: Kit) -> None:
    os.kill(pid(kit), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server(kit).is_running():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_server_listens_on_one_local_port_and_has_no_children(own: Kit) -> None:
    result = own.done("local.up")
    assert result.err == f"started the AWS emulator at https://127.0.0.1:{port(own)}\n"
    assert listens_at(pid(own)) == {("127.0.0.1", port(own))}
    children = Path(f"/proc/{pid(own)}/task/{pid(own)}/children").read_text()
    assert children == ""


def test_folder_is_private_and_holds_the_log(own: Kit) -> None:
    own.done("local.up")
    folder = server(own).folder
    assert folder == own.work_directory / "local-aws"
    assert (folder / "server.log").exists()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


@pytest.mark.soak
def test_state_survives_a_stop_and_provision_repairs_a_killed_server(own: Kit) -> None:
    own.done("provision")
    before = port(own)
    kill(own)
    # The next command starts and seeds another, which knows nothing of the venue.
    result = own("issue-token", "--user", "alice")
    assert (result.code, result.out) == (2, "")
    assert f"started the AWS emulator at https://127.0.0.1:{before}" in result.err
    assert "unity-dev is not provisioned" in result.err
    assert own.root().managed_policy_exists(f"arn:aws:iam::{ACCOUNT}:policy/the-boundary")

    own.done("provision")
    token = own.done("issue-token", "--user", "alice").document()
    own.session(token).call("s3", "put_object", Bucket="unity-dev-data", Key="kept", Body=b"x")
    assert own.done("local.down").err == "stopped the AWS emulator\n"
    assert own.done("local.down").err == "the AWS emulator is not up\n"
    result = own.done("issue-token", "--user", "alice")
    assert f"started the AWS emulator at https://127.0.0.1:{before}" in result.err
    own.session(result.document()).call("s3", "get_object", Bucket="unity-dev-data", Key="kept")


def test_damaged_files_are_replaced(own: Kit) -> None:
    own.done("local.up")
    own.done("local.down")
    folder = own.work_directory / "local-aws"
    (folder / "port").write_text("99999")
    (folder / "seeded").write_bytes(b"\xff")
    (folder / "server.pem").write_text("no certificate")
    assert own.done("status").out == "unity-dev: not provisioned\n"


def test_expiring_certificate_is_renewed_and_the_state_kept(own: Kit) -> None:
    own.done("local.up")
    ca, certificate = server(own).folder / "ca.pem", server(own).folder / "server.pem"
    own.root().call("s3", "put_object", Bucket="unity-dev-data", Key="kept", Body=b"x")
    hang_up()
    first = ca.read_bytes()
    assert own.done("status").err == ""
    assert ca.read_bytes() == first
    os.utime(certificate, (0, 0))  # as one that a server has had for years
    assert "started the AWS emulator" in own.done("status").err
    second = ca.read_bytes()
    assert second != first
    assert own.root().read_object("unity-dev-data", "kept") == b"x"
    hang_up()
    own.done("local.down")
    write_certificate(ca, certificate, host="127.0.0.1", now=datetime.now(timezone.utc) - timedelta(days=800))
    own.done("status")
    assert is_valid(ca, certificate, host="127.0.0.1", now=datetime.now(timezone.utc))


def test_next_command_seeds_after_one_was_killed_before_seeding(own: Kit) -> None:
    own.done("local.up")
    own.done("local.down")
    server(own).up()  # as a command does that is killed right after it
    assert not server(own).seeded.exists()
    own.done("status")
    assert server(own).seeded.exists()


def test_simultaneous_commands_start_one_server(own: Kit) -> None:
    running = [own.start("status") for _ in range(4)]
    said = []
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        said.append(err)
    assert sum("started the AWS emulator" in err for err in said) == 1
    folder = str(server(own).folder)
    everything = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert sum("hypercorn" in each and folder in each for each in everything.splitlines()) == 1


def test_port_in_use_by_another_process_is_replaced(own: Kit) -> None:
    own.done("local.up")
    before = port(own)
    own.done("local.down")
    with socket.create_server(("127.0.0.1", before)) as theirs:
        # The file names a process that is not the server any more.
        (server(own).folder / "pid").write_text(f"{os.getpid()}\n")
        assert own.done("local.down").err == "the AWS emulator is not up\n"
        own.done("local.up")
        assert port(own) != before
        assert theirs.fileno() >= 0
        own.done("local.down")
    own.done("local.up")
    assert port(own) != before  # the one it has now is remembered


def test_status_shows_how_to_use_the_aws_cli(own: Kit) -> None:
    assert own.done("local.status").out == (
        "the AWS emulator is down; it starts when a command needs it, or with: invoke local.up\n"
    )
    own.done("local.up")
    status_text = own.done("local.status").out
    assert f"the AWS emulator is up at https://127.0.0.1:{port(own)}" in status_text
    assert str(server(own).folder / "ca.pem") in status_text
    exports = [line.strip() for line in status_text.splitlines() if line.startswith("  export ")]
    aws = shlex.quote(str(Path(sys.executable).with_name("aws")))
    shell = "\n".join([*exports, f"{aws} sts get-caller-identity"])
    answer = subprocess.run(
        ["sh", "-euc", shell], env=own.environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(answer.stdout)["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.soak
def test_aws_settings_and_proxies_in_the_environment_are_ignored(own: Kit, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("this is no [configuration\n")
    hostile = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_SESSION_TOKEN": "wrong",
        "AWS_PROFILE": "naming-nothing",
        "AWS_CONFIG_FILE": str(nonsense),
        "AWS_SHARED_CREDENTIALS_FILE": str(nonsense),
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": "/nowhere.pem",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }
    for command in (["local.up"], ["status"], ["provision"], ["issue-token", "--user", "alice"]):
        result = own(*command, timeout=300, typed="", **hostile)
        assert result.code == 0, result.err


def test_status_works_from_any_folder(own: Kit) -> None:
    own.done("local.up")
    elsewhere = own.folder / "else where"
    elsewhere.mkdir()
    own.folder = elsewhere
    assert "is up at" in own.done("local.status").out


def test_missing_installation_is_one_message(own: Kit, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['ministack'] = None\n")
    result = own("local.up", timeout=60, typed="", PYTHONPATH=str(hidden))
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: the venue is on the AWS emulator, which is not installed\n"
        "  install it with: scripts/bootstrap --emulator\n"
    )


def test_failed_start_shows_the_end_of_the_log(own: Kit) -> None:
    own.done("local.up")
    own.done("local.down")
    (server(own).folder / "ministack.py").write_text("raise SystemExit('broken')")
    result = own("local.up")
    assert (result.code, result.out) == (5, "")
    assert "the AWS emulator does not start; the end of" in result.err
    assert "broken" in result.err
    assert "Traceback (most" not in result.err
