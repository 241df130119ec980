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
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, CHECKOUT, OTHER_ACCOUNT, REGION, Kit, emulated, new_venue
from tests.functional.proxy import Proxy
from tests.functional.template import ISSUER_VARIABLES, TAGGING_VARIABLES
from venue_access.aws.client import AwsClient, Credentials
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.model import emulator_operator_arn
from venue_access.sensitive import Secret

FIELDS = {
    "AssumedRoleUser": ["AssumedRoleId", "Arn"],
    "Credentials": ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"],
}
UNIX_USER = pwd.getpwuid(os.getuid()).pw_name
EXPIRATION = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def stored_id(kit: Kit, venue: str, account: str = ACCOUNT) -> str:
    project, name = venue.split("-", 1)
    parameter = kit.root(account).parameter(f"/unity/{project}/{name}/cs/sts/role/external-id")
    assert parameter is not None
    return parameter.value.reveal()


def ledger(kit: Kit) -> list[dict[str, Any]]:
    path = kit.work_directory / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tokens_in(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "issue"]


def refused(kit: Kit, *arguments: str, code: int, typed: str = "", **environment: str) -> str:
    """What is said where no token is issued: nothing on standard output, no traceback, no token in the ledger."""
    before = len(tokens_in(ledger(kit)))
    result = kit("issue-token", *arguments, typed=typed, timeout=300, **environment)
    assert (result.code, result.out) == (code, ""), result.err
    assert "Traceback" not in result.err
    assert result.err.startswith("error: ")
    assert len(tokens_in(ledger(kit))) == before
    return result.err


def same_venue(kit: Kit, tmp_path: Path, name: str, **variables: Any) -> Kit:
    """The provisioned venue as another inventory describes it."""
    other = Kit(tmp_path, kit.work_directory)
    other.write_inventory({name: emulated(name, **variables)})
    return other


class TestTheToken:
    def test_it_is_what_the_aws_cli_prints_field_by_field(self, provisioned: tuple[Kit, str]) -> None:
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

    def test_it_opens_the_venue_and_carries_the_recipients_name(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        token = kit.done("issue-token", "--user", "alice", "--venue", venue).document()
        session = kit.session(token)
        session.call("s3", "put_object", Bucket=f"{venue}-data", Key="token", Body=b"made of it")
        assert session.caller().arn == token["AssumedRoleUser"]["Arn"]
        name = session.caller().arn.rsplit("/", 1)[1]
        assert re.fullmatch(r"alice-\d{8}T\d{6}Z-[0-9a-f]{8}", name)
        assert token["AssumedRoleUser"]["AssumedRoleId"].endswith(f":{name}")

    def test_it_says_for_whom_where_which_role_and_until_when_in_utc_and_here(
        self, provisioned: tuple[Kit, str]
    ) -> None:
        kit, _ = provisioned
        result = kit.done("issue-token", "--user", "alice@EXAMPLE.org", "--duration", "20m", TZ="Asia/Kolkata")
        until = datetime.strptime(result.document()["Credentials"]["Expiration"], "%Y-%m-%dT%H:%M:%S%z")
        here = (until + timedelta(hours=5, minutes=30)).strftime("%H:%M IST")
        assert result.err == (
            f"token for alice at shared-dev (unity-shared-dev-sts) until {until:%Y-%m-%d %H:%M} UTC ({here} here)\n"
        )
        lasts = until - datetime.now(timezone.utc)
        assert timedelta(minutes=19) < lasts <= timedelta(minutes=20)

    def test_a_long_name_is_cut_and_two_tokens_of_the_same_moment_differ(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        users = ",".join(["a" * 64, "a" * 63, "a" * 40])
        lines = kit.done("issue-token", "--user", users).out.splitlines()
        names = {json.loads(line)["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1] for line in lines}
        assert len(names) == 3
        assert all(re.fullmatch(r"a{38}-\d{8}T\d{6}Z-[0-9a-f]{8}", name) for name in names)

    def test_it_names_the_recipient_as_source_and_in_tags_where_the_venue_wants_that(self, kit: Kit) -> None:
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
    def test_each_gets_a_document_on_a_line_of_its_own(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        result = kit.done("issue-token", "--user", "bob, alice@example.org,carol")
        arns = [json.loads(line)["AssumedRoleUser"]["Arn"] for line in result.out.splitlines()]
        assert [arn.rsplit("/", 1)[1].split("-")[0] for arn in arns] == ["bob", "alice", "carol"]
        assert [line.split()[2] for line in result.err.splitlines()] == ["bob", "alice", "carol"]

    def test_those_who_are_refused_do_not_stop_the_others(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        result = kit("issue-token", "--user", "alice,x,bob")
        assert result.code == 2
        assert len(result.out.splitlines()) == 2
        assert "error: x: the user name 'x' must be 2 to 64 ASCII letters" in result.err

    def test_a_venue_that_is_inferred_is_the_one_of_them_all(self, kit: Kit) -> None:
        one, other = new_venue(), new_venue()
        users = {"users": {"alice": None}}, {"users": {"bob": None}}
        kit.write_inventory({one: emulated(one, **users[0]), other: emulated(other, **users[1])})
        err = refused(kit, "--user", "alice,bob", code=2)
        assert err == f"error: these users are of several venues\n  choose one with --venue: {one}, {other}\n"
        assert f"{one} is not provisioned" in refused(kit, "--user", "alice", code=2)
        assert "which venue?" in refused(kit, "--user", "carol", code=2)


class TestTheUser:
    @pytest.mark.parametrize("user", ["x", "alice\n", "a٣", "$(id)", "", "--help=1"])
    def test_a_name_that_aws_would_refuse_is_refused_with_the_rule(
        self, user: str, provisioned: tuple[Kit, str]
    ) -> None:
        err = refused(provisioned[0], f"--user={user}", code=2)
        assert re.search("must be 2 to 64 ASCII letters|holds a control character|is empty", err)

    def test_a_venue_that_keeps_to_its_users_gives_nobody_else_a_token(
        self, provisioned: tuple[Kit, str], tmp_path: Path
    ) -> None:
        kit, venue = provisioned
        strict = same_venue(kit, tmp_path, venue, users_only=True, users={"alice": {"email": "alice@example.org"}})
        strict.done("issue-token", "--user", "alice@example.org")
        assert "gives tokens only to its users, and 'alicia' is none" in refused(strict, "--user", "alicia", code=2)
        result = strict("issue-token", "--user", "mallory,alice")
        assert (result.code, len(result.out.splitlines())) == (2, 1)


class TestTheDuration:
    @pytest.mark.parametrize("duration", ["899", "43201", "-5", ""])
    def test_what_aws_gives_to_nobody_is_refused_before_the_call(
        self, duration: str, provisioned: tuple[Kit, str]
    ) -> None:
        err = refused(provisioned[0], "--user", "alice", f"--duration={duration}", code=2)
        assert "900 s (15m) to 43200 s (12h)" in err or "write 7d, 24h, 90m, 1h30m or 3600" in err

    @pytest.mark.parametrize("duration", ["3601", "1h30m"])
    def test_a_role_session_is_told_of_role_chaining(
        self, duration: str, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy
    ) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        err = refused(kit, "--user", "alice", "--duration", duration, code=2)
        assert "AWS limits a role assumed from one to 3600 s (role chaining)" in err
        assert proxy.calls == ["AssumeRole", "GetCallerIdentity"]  # the first is the emulator's operator's own


class TestTheExternalId:
    def test_one_that_is_supplied_is_passed_on_with_one_call(
        self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy
    ) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        supplied = stored_id(*provisioned)
        kit.done("issue-token", "--user", "alice", "--external-id", supplied)
        assert proxy.calls == ["AssumeRole", "AssumeRole"]  # the first is the emulator's operator's own

    def test_the_stored_one_takes_one_call_more(self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy) -> None:
        same_venue(provisioned[0], kit.folder, provisioned[1], aws_endpoint_url=proxy.url)
        kit.done("issue-token", "--user", "alice")
        assert proxy.calls == ["AssumeRole", "GetParameter", "AssumeRole"]

    @pytest.mark.parametrize("end", ["\r\n", ""])
    def test_a_hyphen_takes_it_from_standard_input(self, end: str, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        result = kit("issue-token", "--user", "alice", "--external-id", "-", typed=stored_id(kit, venue) + end)
        assert result.code == 0, result.err

    @pytest.mark.parametrize("given", ["no-such-id", "va." + "x" * 40])
    def test_a_wrong_one_is_told_without_showing_the_stored_one(self, given: str, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        err = refused(kit, "--user", "alice", "--external-id", given, code=5)
        assert "the external ID that was supplied does not match" in err
        assert stored_id(kit, venue) not in err
        assert given not in err

    @pytest.mark.parametrize("given", ["with space", "x" * 1225, "ümlaut"])
    def test_a_malformed_one_is_refused_before_the_call(self, given: str, provisioned: tuple[Kit, str]) -> None:
        err = refused(provisioned[0], "--user", "alice", "--external-id", "-", typed=f"{given}\n", code=2)
        assert "is not one that AWS accepts" in err
        assert len(given) < 3 or given not in err

    def test_nothing_on_standard_input_is_a_malformed_one(self, provisioned: tuple[Kit, str]) -> None:
        assert "(0 characters)" in refused(provisioned[0], "--user", "alice", "--external-id", "-", code=2)

    def test_another_venues_does_not_open_this_one(self, provisioned: tuple[Kit, str]) -> None:
        kit, _ = provisioned
        refused(kit, "--user", "alice", "--external-id", stored_id(kit, "scope-one"), code=5)


@pytest.fixture(scope="module")
def issuer_venue(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> tuple[Kit, str, str]:
    """A venue as on real AWS, reached with the keys of the environment: it trusts the IAM user ``issuer`` alone."""
    kit, name = Kit(tmp_path_factory.mktemp("issuer"), work_directory), "issuer-dev"
    endpoint = aws_emulator(work_directory).endpoint()
    real = {"emulator": False, "aws_endpoint_url": endpoint.url}
    kit.write_inventory({name: emulated(name, **real, **ISSUER_VARIABLES)})
    kit.environment["AWS_CA_BUNDLE"] = str(endpoint.ca_file)
    return kit, name, f"arn:aws:iam::{ACCOUNT}:role/unity-issuer-dev-sts"


def iam_user(root: AwsClient, name: str, *, allow: dict[str, str]) -> dict[str, str]:
    """An IAM user who may do no more than ``allow`` says, action by resource: the environment with their keys."""
    root.ensure("iam", "create_user", UserName=name)
    statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allow.items()]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    root.call("iam", "put_user_policy", UserName=name, PolicyName="issuer", PolicyDocument=document)
    made = root.call("iam", "create_access_key", UserName=name)["AccessKey"]
    return Credentials(made["AccessKeyId"], Secret(made["SecretAccessKey"])).environment()


class TestTheIssuer:
    """An operator with the long-term keys of an IAM user, who may do nothing but assume the role."""

    @pytest.fixture
    def keys(self, issuer_venue: tuple[Kit, str, str]) -> dict[str, str]:
        kit, _, role = issuer_venue
        return iam_user(kit.root(), "issuer", allow={"sts:AssumeRole": role})

    def test_no_right_but_assume_role_is_needed_where_the_id_is_supplied(
        self, issuer_venue: tuple[Kit, str, str], keys: dict[str, str], proxy: Proxy, tmp_path: Path
    ) -> None:
        kit, venue, _ = issuer_venue
        through = Kit(tmp_path, kit.work_directory)
        user = f"arn:aws:iam::{ACCOUNT}:user/issuer"
        through.write_inventory(
            {venue: emulated(venue, emulator=False, aws_endpoint_url=proxy.url, trusted_principals=[user])}
        )
        for _ in range(2):  # AWS is asked each time who calls: an earlier record may be forged
            proxy.forget()
            through.done("issue-token", "--user", "alice", "--external-id", stored_id(kit, venue), **keys)
            assert sorted(proxy.calls) == ["AssumeRole", "GetCallerIdentity"]
        assert [line["operator"] for line in ledger(kit)[-2:]] == [user, user]

    def test_the_stored_id_may_not_be_read_and_what_to_do_is_said(
        self, issuer_venue: tuple[Kit, str, str], keys: dict[str, str]
    ) -> None:
        err = refused(issuer_venue[0], "--user", "alice", code=5, **keys)
        assert "issuer-dev: cannot read its external ID" in err
        assert "supply it with --external-id" in err

    def test_an_iam_user_gets_as_long_as_the_role_gives(
        self, issuer_venue: tuple[Kit, str, str], keys: dict[str, str]
    ) -> None:
        kit, venue, _ = issuer_venue
        supplied = ("--external-id", stored_id(kit, venue))
        token = kit.done("issue-token", "--user", "alice", "--duration", "2h", *supplied, **keys).document()
        until = datetime.strptime(token["Credentials"]["Expiration"], "%Y-%m-%dT%H:%M:%S%z")
        assert timedelta(minutes=119) < until - datetime.now(timezone.utc) <= timedelta(hours=2)
        err = refused(kit, "--user", "alice", "--duration", "2h1m", *supplied, code=2, **keys)
        assert "more than the role's maximum of 7200 s" in err

    def test_the_roles_own_maximum_counts_where_it_may_be_read(
        self, issuer_venue: tuple[Kit, str, str], tmp_path: Path
    ) -> None:
        kit, venue, role = issuer_venue
        keys = iam_user(kit.root(), "reader", allow={"iam:GetRole": role})
        hosts = json.loads(kit.inventory.read_text())["all"]["hosts"]
        hosts[venue]["max_session_duration"] = 43200  # not provisioned
        other = Kit(tmp_path, kit.work_directory)
        other.environment = {**kit.environment, "INVOKE_INVENTORY": str(other.inventory)}
        other.write_inventory(hosts)
        arguments = ("--user", "alice", "--duration", "3h", "--external-id", "any-id")
        assert "maximum of 7200 s" in refused(other, *arguments, code=2, **keys)

    def test_it_works_into_another_account(self, issuer_venue: tuple[Kit, str, str]) -> None:
        kit, venue, role = issuer_venue
        keys = iam_user(kit.root(OTHER_ACCOUNT), "abroad", allow={"sts:AssumeRole": role})
        kit.done("issue-token", "--user", "alice", "--external-id", stored_id(kit, venue), **keys)

    def test_keys_of_another_account_are_told_where_the_id_must_be_read(
        self, issuer_venue: tuple[Kit, str, str]
    ) -> None:
        keys = iam_user(issuer_venue[0].root(OTHER_ACCOUNT), "abroad", allow={"ssm:GetParameter": "*"})
        err = refused(issuer_venue[0], "--user", "alice", code=5, **keys)
        assert f"issuer-dev is in account {ACCOUNT}, but your credentials are of account {OTHER_ACCOUNT}" in err

    def test_a_caller_whom_the_role_does_not_trust_is_told_so_at_once(self, issuer_venue: tuple[Kit, str, str]) -> None:
        kit, venue, role = issuer_venue
        parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/unity/issuer/dev/cs/sts/role/external-id"
        keys = iam_user(kit.root(), "stranger", allow={"sts:AssumeRole": role, "ssm:GetParameter": parameter})
        for supplied in ((), ("--external-id", stored_id(kit, venue))):
            err = refused(kit, "--user", "alice", *supplied, code=5, **keys)
            assert f"arn:aws:iam::{ACCOUNT}:user/stranger is not one of the venue's trusted_principals" in err

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({}, "no AWS credentials found"),
            ({"AWS_PROFILE": "nowhere"}, "your AWS configuration is not usable"),
            ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "your AWS configuration is not usable"),
            (
                Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wrong")).environment(),
                "AWS does not accept your credentials",
            ),
            (
                Credentials("ASIAIOSFODNN7EXAMPLE", Secret("w"), Secret("t")).environment(),
                "AWS does not accept your credentials",
            ),
        ],
    )
    def test_keys_that_do_not_work_are_told_with_where_to_get_others(
        self, keys: dict[str, str], said: str, issuer_venue: tuple[Kit, str, str]
    ) -> None:
        err = refused(issuer_venue[0], "--user", "alice", code=5, **keys)
        assert said in err
        assert "your account portal" in err or "~/.aws/config" in err

    def test_an_endpoint_that_does_not_answer_is_told(self, issuer_venue: tuple[Kit, str, str], tmp_path: Path) -> None:
        kit, venue, _ = issuer_venue
        away = Kit(tmp_path, kit.work_directory)
        hosts = json.loads(kit.inventory.read_text())["all"]["hosts"]
        away.write_inventory({venue: {**hosts[venue], "aws_endpoint_url": "http://127.0.0.1:9"}})
        keys = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("any")).environment()
        assert "http://127.0.0.1:9 could not be reached" in refused(away, "--user", "alice", code=5, **keys)


class TestTheVenue:
    def test_one_that_is_not_provisioned_is_told_with_what_provisions_it(self, kit: Kit, venue: str) -> None:
        err = refused(kit, "--user", "alice", code=2)
        assert f"{venue} is not provisioned" in err
        assert f"invoke provision --venue {venue}" in err

    def test_a_role_that_is_gone_is_told(self, kit: Kit) -> None:
        venue = "deleted-dev"
        kit.write_inventory({venue: emulated(venue)})
        role, root = f"unity-{venue}-sts", kit.root()
        for policy in root.attached_policies(role):
            root.call("iam", "detach_role_policy", RoleName=role, PolicyArn=policy)
        supplied = stored_id(kit, venue)
        root.call("iam", "delete_role", RoleName=role)
        err = refused(kit, "--user", "alice", "--external-id", supplied, code=5)
        assert f"the role of {venue}" in err
        assert supplied not in err


class TestTheLedger:
    def test_it_has_a_line_for_each_token_with_the_reason_and_no_secret(self, provisioned: tuple[Kit, str]) -> None:
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

    def test_where_it_cannot_be_written_no_token_is_issued(
        self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy
    ) -> None:
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

    def test_a_dry_run_issues_nothing(self, provisioned: tuple[Kit, str]) -> None:
        kit, venue = provisioned
        before = len(ledger(kit))
        result = kit.done("--dry", "issue-token", "--user", "alice,bob")
        assert result.out == ""
        assert result.err == f"would issue a token for alice at {venue}\nwould issue a token for bob at {venue}\n"
        assert len(ledger(kit)) == before


class TestTheTerminal:
    def test_a_reader_who_goes_away_is_no_error(self, provisioned: tuple[Kit, str]) -> None:
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

    def test_ctrl_c_ends_it_with_130(self, kit: Kit, provisioned: tuple[Kit, str], proxy: Proxy) -> None:
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
