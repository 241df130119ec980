"""The one door to boto3 and botocore: sessions, typed calls, AWS's faults turned into our errors.

Importing this module costs nothing; boto3 itself is loaded by the first call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from venue_access import deadline
from venue_access.aws.errors import ABSENT, NEW_KEYS, PRESENT, AwsResponse, check_usable, no_keys
from venue_access.aws.role_session import ATTEMPTS, RoleSession, new_client, new_session
from venue_access.aws.types import AssumedRole, CallerIdentity, Credentials, Endpoint, LiveRole, Parameter
from venue_access.errors import AwsError, Unreachable
from venue_access.sensitive import ExternalId, Secret, SensitiveStr

__all__ = ["NEW_KEYS", "AssumedRole", "AwsClient", "CallerIdentity", "Credentials", "Endpoint", "LiveRole", "Parameter"]

_T = TypeVar("_T")


class AwsClient:
    """One account and region, reached with one set of keys.

    :param keys: None takes what boto3 finds: the environment, ``profile``, an instance's role.
    :param role: the role session whose keys are used instead, and renewed.
    """

    def __init__(
        self,
        *,
        region: str,
        keys: Credentials | None = None,
        profile: str | None = None,
        endpoint: Endpoint | None = None,
        role: RoleSession | None = None,
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self._keys = keys
        self._role = role
        self._profile = profile
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._made: Any = None
        self._core: Any = None  # botocore's session below boto3's
        self.known_caller: CallerIdentity | None = None if role is None else _caller_of(role.lasting(0))
        """Who these keys belong to, where that was told without asking."""

    def with_keys(self, keys: Credentials) -> AwsClient:
        """The same account's region and endpoint, called with other keys; shares what boto3 has loaded."""
        other = AwsClient(region=self.region, keys=keys, endpoint=self.endpoint)
        other._made, other._core = self._made, self._core
        return other

    def as_session(self, session: AssumedRole) -> AwsClient:
        """As ``with_keys`` with those of a role's session, whose ARN is then known."""
        other = self.with_keys(session.keys)
        other.known_caller = _caller_of(session)
        return other

    def as_role(self, role: RoleSession) -> AwsClient:
        """Return the same region and endpoint, called with the keys of a role session that is renewed."""
        return AwsClient(region=self.region, endpoint=self.endpoint, role=role)

    def in_region(self, region: str) -> AwsClient:
        """The same keys in another region."""
        if region == self.region:
            return self
        other = AwsClient(
            region=region, keys=self._keys, profile=self._profile, endpoint=self.endpoint, role=self._role
        )
        other._made, other._core, other.known_caller = self._made, self._core, self.known_caller
        return other

    def keys(self, lasting: float = 0) -> Credentials:
        """Return the keys in use now, for Terraform's environment.

        :param lasting: seconds that they are to last, where they can be renewed.
        :raises Unreachable: there are none, they cannot be keys, or their role's session cannot be renewed.
        """
        if self._keys is not None:
            return self._keys
        if self._role is not None:
            return self._role.lasting(lasting).keys
        keys = self._asked("find your AWS keys", partial(self._found_keys, lasting))
        if keys is None:
            raise no_keys()
        return keys

    def keys_end(self) -> datetime | None:
        """When the keys in use end, where botocore knows: it got them by itself, or AWS_CREDENTIAL_EXPIRATION says."""
        if self._role is not None:
            return self._role.lasting(0).expiration
        ends = getattr(None if self._keys else self._session().get_credentials(), "_expiry_time", None)
        return ends if isinstance(ends, datetime) else None

    # -- what the kit asks of AWS ------------------------------------------------------------------------------

    def caller(self) -> CallerIdentity:
        """Who these keys belong to (GetCallerIdentity, which needs no permission)."""
        answer = self.call("sts", "get_caller_identity")
        self.known_caller = CallerIdentity(answer["Account"], answer["Arn"], self.keys().session_token is not None)
        return self.known_caller

    def assume_role(
        self,
        role_arn: str,
        session_name: str,
        *,
        external_id: ExternalId | None = None,
        duration: int | None = None,
        source_identity: str | None = None,
        tags: Mapping[str, str] | None = None,
        policy: str | None = None,
    ) -> AssumedRole:
        """A session of a role.

        :param duration: seconds; None leaves it to AWS, which gives an hour.
        :param policy: a session policy: the session may do what both it and the role allow.
        :raises AccessDenied: the role does not exist, does not trust the caller, or wants another external ID:
            AWS does not say which.
        """
        request: dict[str, Any] = {"RoleArn": role_arn, "RoleSessionName": session_name}
        if external_id is not None:
            request["ExternalId"] = external_id.reveal()
        if duration is not None:
            request["DurationSeconds"] = duration
        if source_identity is not None:
            request["SourceIdentity"] = source_identity
        if tags:
            request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if policy is not None:
            request["Policy"] = policy
        answer = self.call("sts", "assume_role", hide=(external_id,), **request)
        return AssumedRole.of(answer, packed=bool(tags or policy))

    def parameter(self, name: str) -> Parameter | None:
        """An SSM parameter, decrypted; None where there is none."""
        answer = self.find("ssm", "get_parameter", Name=name, WithDecryption=True)
        if answer is None:
            return None
        found = answer["Parameter"]
        return Parameter(ExternalId(found["Value"]), found["Version"], found["LastModifiedDate"], found["Type"])

    def role(self, name: str) -> LiveRole | None:
        """A role as it is now; None where there is none."""
        answer = self.find("iam", "get_role", RoleName=name)
        return None if answer is None else LiveRole.of(answer["Role"])

    def managed_policy_exists(self, arn: str) -> bool:
        """Whether a managed policy exists."""
        return self.find("iam", "get_policy", PolicyArn=arn) is not None

    def attached_policies(self, role_name: str) -> frozenset[str]:
        """The ARNs of the managed policies attached to a role."""
        pages = self.pages("iam", "list_attached_role_policies", RoleName=role_name)
        return frozenset(policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"])

    def read_object(self, bucket: str, key: str, *, most: int | None = None) -> bytes:
        """Return an S3 object, or its first ``most`` bytes."""
        return self.object_with_etag(bucket, key, most=most)[0]

    def object_with_etag(
        self, bucket: str, key: str, *, most: int | None = None, attempts: int = ATTEMPTS
    ) -> tuple[bytes, str]:
        """Return an S3 object's content and ETag; one that is cut off is asked for again, which botocore leaves to us.

        :param most: return only this many bytes of the content.
        :raises AwsError: ``NoSuchKey`` where there is none.
        """
        part: dict[str, Any] = {} if most is None else {"Range": f"bytes=0-{most - 1}"}
        answer = self.call("s3", "get_object", Bucket=bucket, Key=key, **part)
        try:
            content: bytes = self._asked("s3:GetObject", lambda: answer["Body"].read(most))
        except Unreachable:
            if attempts == 1:
                raise
            return self.object_with_etag(bucket, key, most=most, attempts=attempts - 1)
        return content, answer["ETag"]

    # -- the door itself ---------------------------------------------------------------------------------------

    def find(self, service: str, operation: str, **request: Any) -> dict[str, Any] | None:
        """As ``call``, but None where AWS says that the thing does not exist."""
        try:
            return self.call(service, operation, **request)
        except AwsError as error:
            if error.code in ABSENT:
                return None
            raise

    def ensure(self, service: str, operation: str, **request: Any) -> None:
        """As ``call`` for something that is to exist, whether this call makes it or it was there."""
        try:
            self.call(service, operation, **request)
        except AwsError as error:
            if error.code not in PRESENT:
                raise

    def call(
        self, service: str, operation: str, *, hide: tuple[SensitiveStr | None, ...] = (), **request: Any
    ) -> dict[str, Any]:
        """One AWS call by its boto3 name; ``hide`` is masked in whatever AWS answers.

        :raises Unreachable: no keys, keys that do not work, no network.
        :raises AccessDenied: AWS does not allow the call.
        :raises AwsError: anything else that AWS refuses; its ``code`` says what.
        """
        what = _name(service, operation)
        answer = self._asked(what, lambda: getattr(self._client(service), operation)(**request), hide)
        return AwsResponse(answer, what, self._where)

    def pages(self, service: str, operation: str, **request: Any) -> list[dict[str, Any]]:
        """Return every page of what AWS lists, by boto3's paginator; otherwise as ``call``."""
        what = _name(service, operation)
        pages = self._asked(what, lambda: list(self._client(service).get_paginator(operation).paginate(**request)))
        return [AwsResponse(page, what, self._where) for page in pages]

    def _asked(self, what: str, function: Callable[[], _T], hide: tuple[SensitiveStr | None, ...] = ()) -> _T:
        """Run what asks AWS, within the command's time limit, with botocore's exceptions turned into ours."""
        from venue_access.aws.faults import faults

        with faults(what, hide, self._where, self._ca_file):
            if self._asks_for_mfa():
                self._found_keys()  # here: a thread that may be abandoned must not read the terminal
            return deadline.current().call(what, self._where, function)

    @property
    def _where(self) -> str:
        return self.endpoint.url if self.endpoint else "AWS"

    def _ca_file(self) -> str | None:
        """Return the file of certificate authorities in use; None for the machine's own."""
        if self.endpoint is not None and self.endpoint.ca_file is not None:
            return str(self.endpoint.ca_file)
        found = self._core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
        return None if found is None else str(found)

    def _asks_for_mfa(self) -> bool:
        """Return whether botocore may ask the person for an MFA code."""
        if self._keys is not None or self._role is not None:
            return False
        self._session()
        return any("mfa_serial" in profile for profile in self._core.full_config.get("profiles", {}).values())

    def _found_keys(self, lasting: float = 0) -> Credentials | None:
        found = self._session().get_credentials()
        if found is None:
            return None
        if lasting and found.get_frozen_credentials() and getattr(found, "refresh_needed", _never)(lasting):
            self._made = None  # botocore renews its own only shortly before they end; another session gets others
            found = self._session().get_credentials()
        frozen = found.get_frozen_credentials()
        keys = Credentials(frozen.access_key, Secret(frozen.secret_key), Secret(frozen.token) if frozen.token else None)
        check_usable(keys)
        return keys

    def _client(self, service: str) -> Any:
        with self._lock:  # boto3's sessions are not safe for threads; the clients they make are
            client = self._clients.get(service)
            if client is None:
                if self._keys is None and self._role is None:
                    self._found_keys()
                client = new_client(self._session(), service, self.region, self._keys, self.endpoint)
                self._clients[service] = client
        return client

    def _session(self) -> Any:
        with self._making:
            if self._made is None:
                import boto3

                self._core = new_session(own_keys=self._keys is not None, role=self._role)
                self._made = boto3.Session(botocore_session=self._core, profile_name=self._profile)
            return self._made


def _never(lasting: float) -> bool:
    return False


def _name(service: str, operation: str) -> str:
    return f"{service}:{operation.replace('_', ' ').title().replace(' ', '')}"


def _caller_of(session: AssumedRole) -> CallerIdentity:
    return CallerIdentity(session.arn.split(":")[4], session.arn)
