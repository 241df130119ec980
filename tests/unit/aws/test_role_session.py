"""Sessions of an operator's role: renewed before they end, in botocore's clients and in Terraform's environment."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AssumedRole, AwsClient, Credentials
from venue_access.aws.types import RoleSession
from venue_access.config import Settings
from venue_access.errors import ServiceUnavailable
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.stack import Stack
from venue_access.sensitive import Secret

ARN = "arn:aws:sts::111122223333:assumed-role/venue-operator/alice"


class Sts:
    """Gives sessions of one hour, numbered, by a clock that is set by hand."""

    def __init__(self) -> None:
        self.time = datetime.now(timezone.utc)
        self.given = 0
        self.asked = 0
        self.failure: ServiceUnavailable | None = None

    def now(self) -> datetime:
        return self.time

    def assume(self) -> AssumedRole:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        self.given += 1
        keys = Credentials(f"ASIA{self.given:04}", Secret("secret"), Secret("token"))
        return AssumedRole(ARN, "AROA:alice", keys, self.time + timedelta(hours=1))

    def session(self) -> RoleSession:
        return RoleSession(self.assume, now=self.now)


@pytest.fixture
def sts() -> Sts:
    return Sts()


def test_expiring_session_is_renewed(sts: Sts) -> None:
    session = sts.session()
    assert session.lasting(1860).credentials.access_key_id == "ASIA0001"
    sts.time += timedelta(minutes=28)
    assert session.lasting(1860).credentials.access_key_id == "ASIA0001"
    sts.time += timedelta(minutes=2)
    assert session.lasting(60).credentials.access_key_id == "ASIA0001"
    assert session.lasting(1860).credentials.access_key_id == "ASIA0002"


def test_concurrent_threads_take_one_session(sts: Sts) -> None:
    session = sts.session()
    sts.time += timedelta(minutes=58)
    with ThreadPoolExecutor(8) as pool:
        keys = {each.credentials.access_key_id for each in pool.map(session.lasting, [900.0] * 32)}
    assert keys == {"ASIA0002"}


def test_failed_renewal_keeps_session_and_is_retried_each_minute(sts: Sts) -> None:
    session = sts.session()
    sts.time += timedelta(minutes=50)
    sts.failure = ServiceUnavailable("AWS is throttling sts:AssumeRole, also after retries")
    for _ in range(5):
        assert session.lasting(900).credentials.access_key_id == "ASIA0001"
    assert sts.asked == 2
    sts.time += timedelta(minutes=6)
    raised = set()
    for _ in range(5):
        with pytest.raises(ServiceUnavailable) as caught:
            session.lasting(900)
        raised.add(caught.value)
    assert (sts.asked, raised) == (3, {sts.failure})
    sts.failure = None
    sts.time += timedelta(minutes=1)
    assert session.lasting(900).credentials.access_key_id == "ASIA0002"


def test_boto3s_credentials_are_renewed_with_it(sts: Sts) -> None:
    aws = AwsClient(region="us-west-2", role=sts.session())
    assert aws.known_caller is not None
    assert aws.known_caller.arn == ARN
    found = aws.in_region("us-east-1")._session().get_credentials()
    assert found.get_frozen_credentials().access_key == "ASIA0001"
    found._expiry_time = datetime.now(timezone.utc) + timedelta(minutes=9)
    sts.time += timedelta(minutes=51)
    assert found.get_frozen_credentials().access_key == "ASIA0002"


def test_terraform_gets_credentials_for_its_longest_run(sts: Sts, tmp_path: Path) -> None:
    aws = AwsClient(region="us-west-2", role=sts.session())
    settings = Settings(inventory=tmp_path, work_directory=tmp_path / "work", root=tmp_path, terraform=sys.executable)
    terraform = RootModule(settings, Stack("unity-dev", (a_venue(),)), aws).terraform()
    assert terraform.environment()["AWS_ACCESS_KEY_ID"] == "ASIA0001"
    sts.time += timedelta(minutes=30)  # planning took its time
    assert terraform.environment()["AWS_ACCESS_KEY_ID"] == "ASIA0002"


def test_expiring_profile_is_asked_again_for_terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answer.py").write_text(
        "import datetime, json, pathlib\n"
        "count = pathlib.Path(__file__).with_name('count')\n"
        "number = len(count.read_text()) if count.exists() else 0\n"
        "count.write_text('x' * (number + 1))\n"
        "ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=20 + 40 * number)\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'ASIA{number}', 'SecretAccessKey': 's', 'SessionToken': 't',"
        " 'Expiration': ends.isoformat()}))\n"
    )
    process = json.dumps(f"{sys.executable} {tmp_path / 'answer.py'}")[1:-1]
    (tmp_path / "config").write_text(f"[profile portal]\ncredential_process = {process}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    aws = AwsClient(region="us-west-2", profile="portal")
    assert aws.credentials().access_key_id == "ASIA0"
    assert aws.credentials(900).access_key_id == "ASIA0"
    assert aws.credentials(1860).access_key_id == "ASIA1"
