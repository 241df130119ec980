"""``invoke issue-token`` on the AWS emulator, next to the AWS CLI's own answers."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.functional.issuing import ledger, refused, same_venue, stored_id
from tests.functional.kit import ACCOUNT, CHECKOUT, REGION, Kit, emulated, new_venue
from tests.functional.proxy import Proxy
from tests.functional.template import TAGGING_VARIABLES
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.model import emulator_operator_arn

FIELDS = {
    "AssumedRoleUser": ["AssumedRoleId", "Arn"],
    "Credentials": ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"],
}
UNIX_USER = pwd.getpwuid(os.getuid()).pw_name
EXPIRATION = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class TestToken:
    def test_token_matches_aws_cli_output(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        result = kit.done("issue-token", "--user", "alice", "--duration", "30m")

        endpoint = aws_emulator(kit.work_directory).endpoint()
        operator = kit.root().assume_role(emulator_operator_arn(ACCOUNT), "operator").credentials
        role = f"arn:aws:iam::{ACCOUNT}:role/unity-shared-dev-sts"
        command = ["sts", "assume-role", "--role-arn", role, "--role-session-name", "alice-20261120T221500Z-3f9c21ab"]
        command += ["--external-id", stored_id(kit, venue), "--duration-seconds", "1800"]
        cli = subprocess.run(
            [str(Path(sys.executable).with_name("aws")), *command],
            env={
                **kit.environment,
                **operator.environment(),
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": endpoint.url,
                "AWS_CA_BUNDLE": str(endpoint.ca_file),
            },
            capture_output=True,
            text=True,
            check=True,
        )

        ours, theirs = json.loads(result.out), json.loads(cli.stdout)
        theirs.pop("PackedPolicySize", None)  # AWS measures one only where there is a session policy
        assert {key: list(ours[key]) for key in ours} == {key: list(theirs[key]) for key in theirs} == FIELDS

        def shape(text: str) -> str:
            """The text with everything that differs from one token to the next taken out."""
            text = re.sub(r"alice-\d{8}T\d{6}Z-[0-9a-f]{8}", "NAME", text)
            text = re.sub(r'("(?:AccessKeyId|SecretAccessKey|SessionToken)": )"[^"]+"', r"\1VALUE", text)
            return re.sub(rf'"{EXPIRATION}"', "TIME", text)

        # The CLI has the two parts the other way round, as the API's model does, and its documentation as we do.
        assert cli.stdout == json.dumps(json.loads(cli.stdout), indent=4) + "\n"
        role_id = theirs["AssumedRoleUser"]["AssumedRoleId"].split(":")[0]
        assert ours["AssumedRoleUser"]["AssumedRoleId"].split(":")[0] == role_id
        assert shape(result.out) == shape(json.dumps({key: theirs[key] for key in FIELDS}, indent=4) + "\n")
        assert len(ours["Credentials"]["AccessKeyId"]) == len(theirs["Credentials"]["AccessKeyId"])

    def test_token_works_and_names_recipient(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        token = kit.done("issue-token", "--user", "alice", "--venue", venue).document()
        session = kit.session(token)
        session.call("s3", "put_object", Bucket=f"{venue}-data", Key="token", Body=b"made of it")
        assert session.caller().arn == token["AssumedRoleUser"]["Arn"]
        name = session.caller().arn.rsplit("/", 1)[1]
        assert re.fullmatch(r"alice-\d{8}T\d{6}Z-[0-9a-f]{8}", name)
        assert token["AssumedRoleUser"]["AssumedRoleId"].endswith(f":{name}")

    def test_message_names_recipient_venue_role_and_expiry(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        result = kit.done("issue-token", "--user", "alice@EXAMPLE.org", "--duration", "20m", TZ="Asia/Kolkata")
        until = datetime.strptime(result.document()["Credentials"]["Expiration"], "%Y-%m-%dT%H:%M:%S%z")
        here = (until + timedelta(hours=5, minutes=30)).strftime("%H:%M IST")
        assert result.err == (
            f"token for alice at shared-dev (unity-shared-dev-sts) until {until:%Y-%m-%d %H:%M} UTC ({here} here)\n"
        )
        lasts = until - datetime.now(timezone.utc)
        assert timedelta(minutes=19) < lasts <= timedelta(minutes=20)

    def test_long_name_is_cut_and_session_names_differ(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        users = ",".join(["a" * 64, "a" * 63, "a" * 40])
        lines = kit.done("issue-token", "--user", users).out.splitlines()
        names = {json.loads(line)["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1] for line in lines}
        assert len(names) == 3
        assert all(re.fullmatch(r"a{38}-\d{8}T\d{6}Z-[0-9a-f]{8}", name) for name in names)

    def test_source_identity_and_tags_name_recipient(self, kit: Kit) -> None:
        venue = "tagging-dev"
        kit.write_inventory({venue: emulated(venue, **TAGGING_VARIABLES)})
        token = kit.done("issue-token", "--user", "carol").document()
        kit.session(token).call("s3", "list_objects_v2", Bucket=f"{venue}-data")
        # Where the trust policy does not let a session be tagged, AWS refuses the call as a whole.
        policy = kit.root().call("iam", "get_role", RoleName=f"unity-{venue}-sts")["Role"]["AssumeRolePolicyDocument"]
        kept = [each for each in policy["Statement"] if each["Sid"] != "Session"]
        kit.root().call(
            "iam",
            "update_assume_role_policy",
            RoleName=f"unity-{venue}-sts",
            PolicyDocument=json.dumps({**policy, "Statement": kept}),
        )
        supplied = stored_id(kit, venue)
        err = refused(kit, "--user", "carol", "--external-id", supplied, code=5)
        assert supplied not in err


class TestSeveralUsers:
    def test_each_user_gets_one_line(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        result = kit.done("issue-token", "--user", "bob, alice@example.org,carol")
        arns = [json.loads(line)["AssumedRoleUser"]["Arn"] for line in result.out.splitlines()]
        assert [arn.rsplit("/", 1)[1].split("-")[0] for arn in arns] == ["bob", "alice", "carol"]
        assert [line.split()[2] for line in result.err.splitlines()] == ["bob", "alice", "carol"]

    def test_refused_users_do_not_stop_others(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        result = kit("issue-token", "--user", "alice,x,bob")
        assert result.code == 2
        assert len(result.out.splitlines()) == 2
        assert "error: x: the user name 'x' must be 2 to 64 ASCII letters" in result.err

    def test_inferred_venue_serves_all_users(self, kit: Kit) -> None:
        one, other = new_venue(), new_venue()
        users = {"users": {"alice": None}}, {"users": {"bob": None}}
        kit.write_inventory({one: emulated(one, **users[0]), other: emulated(other, **users[1])})
        err = refused(kit, "--user", "alice,bob", code=2)
        assert err == f"error: these users are of several venues\n  choose one with --venue: {one}, {other}\n"
        assert f"{one} is not provisioned" in refused(kit, "--user", "alice", code=2)
        assert "which venue?" in refused(kit, "--user", "carol", code=2)


class TestUser:
    @pytest.mark.parametrize("user", ["x", "alice\n", "a٣", "$(id)", "", "--help=1"])
    def test_invalid_name_is_refused_with_the_rule(self, user: str, provisioned: tuple[Kit, str]) -> None:
        err = refused(provisioned[0], f"--user={user}", code=2)
        assert re.search("must be 2 to 64 ASCII letters|has a control character|is empty", err)

    def test_restricted_venue_refuses_other_users(self, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
        kit, venue = provisioned
        strict = same_venue(kit, tmp_path, venue, users_only=True, users={"alice": {"email": "alice@example.org"}})
        strict.done("issue-token", "--user", "alice@example.org")
        assert "gives tokens only to its users, and 'alicia' is not one of them" in refused(
            strict, "--user", "alicia", code=2
        )
        result = strict("issue-token", "--user", "mallory,alice")
        assert (result.code, len(result.out.splitlines())) == (2, 1)


class TestLedger:
    def test_each_token_is_recorded_with_reason_without_secret(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        token = kit.done("issue-token", "--user", "bob", "--reason", "case 42: ünïcode; it's").document()
        line = ledger(kit)[-1]
        arn = token["AssumedRoleUser"]["Arn"]
        assert line == {
            **{key: line[key] for key in ("when", "operator_access_key_id", "number", "previous", "hash")},
            "kind": "issue",
            "operator": f"arn:aws:sts::{ACCOUNT}:assumed-role/venue-access-operator/{UNIX_USER}",
            "venue": venue,
            "role_arn": f"arn:aws:iam::{ACCOUNT}:role/unity-shared-dev-sts",
            "recipient": "bob",
            "role_session_name": arn.rsplit("/", 1)[1],
            "access_key_id": token["Credentials"]["AccessKeyId"],
            "expires": token["Credentials"]["Expiration"],
            "scope": None,
            "reason": "case 42: ünïcode; it's",
            "delivery": "printed",
            "key_fingerprints": [],
        }
        assert re.fullmatch(EXPIRATION, line["when"])
        path = kit.work_directory / "ledger.jsonl"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for secret in (
            token["Credentials"]["SecretAccessKey"],
            token["Credentials"]["SessionToken"],
            stored_id(kit, venue),
        ):
            assert secret not in path.read_text()

    def test_unwritable_ledger_issues_no_token(self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        path = kit.work_directory / "ledger.jsonl"
        kept = path.with_name("kept") if path.exists() else None
        if kept is not None:
            path.rename(kept)
        path.mkdir()
        try:
            result = kit("issue-token", "--user", "alice")
        finally:
            path.rmdir()
            if kept is not None:
                kept.rename(path)
        assert (result.code, result.out) == (2, "")
        assert "ledger.jsonl: is a directory" in result.err
        assert proxy.calls == []

    def test_dry_run_issues_nothing(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        before = len(ledger(kit))
        result = kit.done("--dry", "issue-token", "--user", "alice,bob")
        assert result.out == ""
        assert result.err == f"would issue a token for alice at {venue}\nwould issue a token for bob at {venue}\n"
        assert len(ledger(kit)) == before


class TestTerminal:
    def test_closed_pipe_is_not_an_error(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        script = f'"{sys.executable}" -m invoke --search-root "{CHECKOUT}" issue-token --user alice,bob,carol | true'
        result = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script],
            env=kit.environment,
            cwd=kit.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert "Traceback" not in result.stderr
        assert "Exception" not in result.stderr

    def test_ctrl_c_is_exit_130(self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        with kit.start("issue-token", "--user", "alice", "--external-id", "-") as process:
            os.killpg(process.pid, signal.SIGCONT)
            assert process.stdin is not None
            try:
                process.wait(1.5)  # it waits for the external ID
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (130, "")
        assert err == "error: interrupted\n"
