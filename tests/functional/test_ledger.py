"""The ledger of real runs: nothing that was shown is missing, nothing confidential is in it, meddling is seen."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.functional.issuing import iam_user, stored_id
from tests.functional.kit import ACCOUNT, Kit, emulated
from tests.functional.ledgers import AGE, alone, for_eve, lines, sessions, through
from tests.functional.proxy import Proxy
from tests.functional.template import SHARED
from venue_access.config import Settings
from venue_access.ledger.chain import Record
from venue_access.ledger.local import LocalLedger
from venue_access.policies.revocation import remove_inline, write_inline

WRITERS = 20


class TestConcurrency:
    @pytest.mark.soak
    def test_killed_commands_lose_no_printed_token(self, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
        kit = alone(provisioned, tmp_path)

        def write(number: int) -> str:
            users = ",".join(f"writer{number}.{each}" for each in range(10))
            with kit.start("issue-token", "--user", users) as process:
                assert process.stdout is not None
                shown = [process.stdout.readline() for _ in range(3)]
                if number % 2:
                    os.kill(process.pid, signal.SIGKILL)
                # Not communicate(): it passes over what readline() has read ahead.
                shown.append(process.stdout.read())
            return "".join(shown)

        with ThreadPoolExecutor(4) as pool:
            shown = set().union(*map(sessions, pool.map(write, range(WRITERS))))
        assert len(shown) >= 10 * WRITERS / 2 + 3 * WRITERS / 2
        kit.done("issue-token", "--user", "last")
        entered = lines(kit)
        assert shown <= {line["role_session_name"] for line in entered}
        assert kit.done("ledger.verify").out.endswith(f"{len(entered)} records; none was changed, removed or moved\n")
        assert [line["number"] for line in entered] == list(range(1, len(entered) + 1))


class TestRecords:
    def test_issue_and_refusal_are_recorded_with_operator(self, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
        kit = alone(provisioned, tmp_path)
        shared, name = provisioned
        external_id = stored_id(shared, name)
        reason = f"they sent {external_id}"
        token = kit.done("issue-token", "--user", "alice", "--reason", reason, "--external-id", external_id).document()
        refused = kit("issue-token", "--user", "bob", "--external-id", "canary-of-a-wrong-id", "--reason", "case 7")
        assert refused.code == 5
        issue, refusal = lines(kit)
        anna = f"arn:aws:sts::{ACCOUNT}:assumed-role/venue-access-operator/anna"
        assert [line["operator"] for line in (issue, refusal)] == [anna, anna]
        assert issue["operator_access_key_id"] == kit.environment["AWS_ACCESS_KEY_ID"]
        assert (issue["kind"], issue["recipient"], issue["venue"]) == ("issue", "alice", name)
        assert issue["access_key_id"] == token["Credentials"]["AccessKeyId"]
        assert issue["expires"] == token["Credentials"]["Expiration"]
        assert (refusal["kind"], refusal["recipient"], refusal["error"]) == ("refusal", "bob", "AccessDenied")
        assert (refusal["reason"], refusal["access_key_id"]) == ("case 7", None)
        canaries = [token["Credentials"]["SecretAccessKey"], token["Credentials"]["SessionToken"], external_id]
        canaries += [kit.environment["AWS_SECRET_ACCESS_KEY"], kit.environment["AWS_SESSION_TOKEN"]]
        kept = [file.read_bytes() for file in kit.work_directory.rglob("*") if file.is_file()]
        for canary in [*canaries, "canary-of-a-wrong-id"]:
            assert not any(canary.encode() in content for content in kept)

    def test_operator_is_looked_up_without_delaying_the_token(
        self, provisioned: tuple[Kit, str], proxy: Proxy, tmp_path: Path
    ) -> None:
        kit, external_id = through(proxy, alone(provisioned, tmp_path)), stored_id(*provisioned)
        proxy.refusals["GetCallerIdentity"] = ("AccessDenied", "not today")
        issue = ("issue-token", "--user", "alice", "--external-id", "-")
        result = kit(*issue, typed=external_id)
        assert result.code == 0, result.err
        assert "not today" not in result.err
        assert sorted(proxy.calls) == ["AssumeRole", "GetCallerIdentity"]
        assert lines(kit)[-1]["operator"] == f"access key {kit.environment['AWS_ACCESS_KEY_ID']}"

        # A record that names somebody else as the owner of these keys is not believed.
        proxy.refusals.clear()
        ledger, [planted] = kit.work_directory / "ledger.jsonl", lines(kit)
        ledger.unlink()
        LocalLedger(Settings(kit.inventory, kit.work_directory, kit.folder)).append(
            Record.of({**planted, "operator": f"arn:aws:sts::{ACCOUNT}:assumed-role/portal/mallory"})
        )
        proxy.forget()
        assert kit(*issue, typed=external_id).code == 0
        assert sorted(proxy.calls) == ["AssumeRole", "GetCallerIdentity"]
        assert lines(kit)[-1]["operator"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/venue-access-operator/anna"

    def test_unrecorded_external_id_is_reported(
        self, provisioned: tuple[Kit, str], proxy: Proxy, tmp_path: Path
    ) -> None:
        kit = through(proxy, alone(provisioned, tmp_path))
        ledger = kit.work_directory / "ledger.jsonl"

        def meddle(operation: str) -> None:
            if operation == "GetParameter" and ledger.is_file():
                ledger.unlink()
                ledger.mkdir()

        proxy.before_call = meddle
        result = kit("external-id.send", "--user", "alice", "--recipient", AGE, "--out", "encrypted.age")
        assert (result.code, result.out) == (6, "")
        assert "error: encrypted.age was written, but could not be recorded in the ledger: cannot write" in result.err
        assert (
            f"warning: recipients of an outdated external ID are not known: cannot read {ledger}"
            in kit.done("status").err
        )

    def test_unreadable_parameter_is_recorded_as_refusal(self, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
        kit = alone(provisioned, tmp_path)
        keys = iam_user(provisioned[0].root(), "ledger-issuer", allow={"sts:AssumeRole": "*"})
        assert kit("issue-token", "--user", "alice,bob", timeout=60, **{**keys, "AWS_SESSION_TOKEN": ""}).code == 5
        assert [line["recipient"] for line in lines(kit)] == ["alice", "bob"]
        assert {line["operator"] for line in lines(kit)} == {f"arn:aws:iam::{ACCOUNT}:user/ledger-issuer"}

    def test_refusal_by_the_kit_is_not_recorded(self, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
        kit = alone(provisioned, tmp_path)
        assert kit("issue-token", "--user", "x").code == 2
        assert not (kit.work_directory / "ledger.jsonl").exists()

    @pytest.mark.soak
    def test_rotation_is_recorded_without_external_id(self, kit: Kit, venue: str, tmp_path: Path) -> None:
        kit.done("provision")
        kit.done("rotate-external-id", "--grace", "1h")
        kit.done("rotate-external-id", "--grace", "1h")  # nothing is left to do
        kit.done("rotate-external-id", "--finish")
        mine = [line for line in lines(kit) if line["venue"] == venue]
        rotations = [line for line in mine if line["kind"] == "rotation"]
        assert [line["stage"] for line in rotations] == ["promoted", "stable"]
        commands = {line["command"] for line in mine if line["kind"] == "proof"}
        assert commands == {"provision", "rotate-external-id"}
        assert stored_id(kit, venue) not in json.dumps(mine)


class TestListing:
    def test_tokens_are_listed_and_filtered(self, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
        kit = alone(provisioned, tmp_path)
        assert kit.done("tokens").err == "no matching token was issued\n"
        kit.done("issue-token", "--user", "alice@example.org,bob")
        rows = kit.done("tokens").out.splitlines()
        assert [row.split()[:2] for row in rows[:1]] == [["ISSUED", "(UTC)"]]
        assert sorted(name for row in rows for name in ("alice", "bob") if name in row) == ["alice", "bob"]

        def names(*flags: str) -> list[str]:
            return [each["recipient"] for each in kit.done("tokens", "--json", *flags).document()["tokens"]]

        assert sorted(names()) == ["alice", "bob"]
        assert names("--user", "alice@EXAMPLE.org", "--live", "--since", "1h") == ["alice"]
        assert names("--since", "2099-01-01") == []
        assert names("--venue", provisioned[1]) == names()
        assert kit("tokens", "--since", "soon").code == 2


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> tuple[Kit, str]:
    """The provisioned venue with its ledger in S3."""
    kit, name = Kit(tmp_path_factory.mktemp("s3"), work_directory), SHARED
    kit.write_inventory({name: emulated(name, ledger={"s3": {"bucket": f"{name}-ledger", "prefix": "kit"}})})
    return kit, name


class TestInS3:
    def objects(self, shared: tuple[Kit, str]) -> list[str]:
        kit, name = shared
        found = kit.root().call("s3", "list_objects_v2", Bucket=f"{name}-ledger").get("Contents", [])
        return [each["Key"] for each in found]

    def test_concurrent_operators_lose_no_record(self, shared: tuple[Kit, str]) -> None:
        kit, _ = shared
        kit.done("issue-token", "--user", "w0")
        before = len(self.objects(shared))

        def write(number: int) -> str:
            return kit.done("issue-token", "--user", ",".join(f"w{number}.{each}" for each in range(5))).out

        with ThreadPoolExecutor(4) as pool:
            shown = set().union(*map(sessions, pool.map(write, range(6))))
        tokens = kit.done("tokens", "--json").document()["tokens"]
        assert shown <= {token["role_session_name"] for token in tokens}
        assert len(self.objects(shared)) == before + 30
        assert f"{before + 30} records; none was changed" in kit.done("ledger.verify").out

    def test_console_folder_is_not_a_record(self, shared: tuple[Kit, str]) -> None:
        kit, name = shared
        bucket, folder = f"{name}-ledger", "kit/"
        kit.root().call("s3", "put_object", Bucket=bucket, Key=folder, Body=b"")
        shown = sessions(json.dumps(kit.done("issue-token", "--user", "alice").document()))
        assert shown <= {each["role_session_name"] for each in kit.done("tokens", "--json").document()["tokens"]}
        assert "none was changed" in kit.done("ledger.verify").out
        kit.root().call("s3", "delete_object", Bucket=bucket, Key=folder)

    def test_tampering_in_s3_is_reported(self, shared: tuple[Kit, str]) -> None:
        kit, name = shared
        kit.done("issue-token", "--user", "alice,bob,carol")
        head = kit.done("ledger.head").out.strip()
        newest, middle = self.objects(shared)[:2]
        bucket, root = f"{name}-ledger", kit.root()
        text = root.call("s3", "get_object", Bucket=bucket, Key=middle)["Body"].read()
        root.call("s3", "put_object", Bucket=bucket, Key=middle, Body=for_eve(text.decode()).encode())
        result = kit("ledger.verify")
        assert result.code == 7
        assert f"{middle} (record " in result.err
        root.call("s3", "put_object", Bucket=bucket, Key=middle, Body=text)
        kit.done("ledger.verify", "--head", head)
        last = root.call("s3", "get_object", Bucket=bucket, Key=newest)["Body"].read()
        root.call("s3", "delete_object", Bucket=bucket, Key=newest)
        kit.done("ledger.verify")
        assert "the end was truncated" in kit("ledger.verify", "--head", head).err
        root.call("s3", "put_object", Bucket=bucket, Key=newest, Body=last)

    @contextmanager
    def unwritable(self, shared: tuple[Kit, str]) -> Iterator[None]:
        kit, name = shared
        deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}-ledger/*"}
        operator, policy = "venue-access-operator", {"Version": "2012-10-17", "Statement": [deny]}
        write_inline(kit.root(), operator, "no-ledger", policy)
        try:
            yield
        finally:
            remove_inline(kit.root(), operator, "no-ledger")

    def check_not_issued(self, kit: Kit, name: str, prefix: str) -> None:
        count = len(self.objects((kit, name)))
        result = kit("issue-token", "--user", "alice")
        assert (result.code, result.out) == (5, "")
        assert f"cannot use the ledger s3://{name}-ledger/{prefix}/" in result.err
        assert "issued but" not in result.err
        assert len(self.objects((kit, name))) == count

    def test_unwritable_ledger_issues_no_token(self, shared: tuple[Kit, str]) -> None:
        kit, name = shared
        kit.done("issue-token", "--user", "alice")
        with self.unwritable(shared):
            self.check_not_issued(kit, name, "kit")

    def test_unwritable_empty_ledger_issues_no_token(self, shared: tuple[Kit, str], tmp_path: Path) -> None:
        kit, name = Kit(tmp_path, shared[0].work_directory), shared[1]
        kit.write_inventory({name: emulated(name, ledger={"s3": {"bucket": f"{name}-ledger", "prefix": "new"}})})
        kit.done("local.up")
        with self.unwritable(shared):
            self.check_not_issued(kit, name, "new")
        kit.done("issue-token", "--user", "alice,bob")
        assert "3 records; none was changed" in kit.done("ledger.verify").out
        started = kit.root().read_object(f"{name}-ledger", "new/999999999998.json")
        assert json.loads(started)["kind"] == "start"
        assert len(kit.done("tokens", "--json").document()["tokens"]) == 2
