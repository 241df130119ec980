"""The AWS client of one account and region: typed calls through boto3, with AWS's refusals as the kit's errors.

Importing this module costs nothing: the first call loads boto3.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from venue_access import times
from venue_access.aws.botocore_adapter import AwsResponse, new_session, no_credentials, translated
from venue_access.aws.types import AssumedRole, CallerIdentity, Credentials, Endpoint, LiveRole, Parameter
from venue_access.errors import AwsError, ConnectionFailed
from venue_access.sensitive import ExternalId, Secret, SensitiveStr

if TYPE_CHECKING:
    from venue_access.aws.types import RoleSession

__all__ = ["AssumedRole", "AwsClient", "CallerIdentity", "Credentials", "Endpoint", "LiveRole", "Parameter"]

ATTEMPTS = 5
"""Attempts for each call, with up to 1, 2, 4 and 8 s in between (botocore's adaptive mode, like its standard one)."""
_ABSENT = {"NoSuchEntity", "ParameterNotFound", "NoSuchBucket", "NoSuchKey", "404"}
_PRESENT = {"EntityAlreadyExists", "BucketAlreadyOwnedByYou", "ParameterAlreadyExists"}
_T = TypeVar("_T")
_Hidden = tuple[SensitiveStr | None, ...]


class AwsClient:
    """A client for one account and region, with one set of credentials.

    :param credentials: None uses what boto3 finds: the environment, ``profile``, an instance's role.
    :param role: use the credentials of this role session, which renews itself.
    """

    def __init__(
        self,
        *,
        region: str,
        credentials: Credentials | None = None,
        profile: str | None = None,
        endpoint: Endpoint | None = None,
        role: RoleSession | None = None,
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self._where = "AWS" if endpoint is None else endpoint.url
        self._given = credentials
        self._role = role
        self._profile = profile
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()
        self._session_lock = threading.Lock()
        self._boto3: Any = None
        self._botocore: Any = None  # botocore's session below boto3's
        self.known_caller: CallerIdentity | None = None if role is None else role.lasting(0).caller
        """The caller's identity, if a response has shown it already."""

    def with_credentials(self, credentials: Credentials) -> AwsClient:
        """Return a client with other credentials, which shares what boto3 has loaded."""
        other = AwsClient(region=self.region, credentials=credentials, endpoint=self.endpoint)
        other._boto3, other._botocore = self._boto3, self._botocore
        return other

    def as_session(self, session: AssumedRole) -> AwsClient:
        """Return a client with the credentials of a role session."""
        other = self.with_credentials(session.credentials)
        other.known_caller = session.caller
        return other

    def in_region(self, region: str) -> AwsClient:
        """Return a client with the same credentials in another region."""
        if region == self.region:
            return self
        other = copy(self)
        other.region, other._clients = region, {}
        return other

    def credentials(self, lasting: float = 0) -> Credentials:
        """Return the credentials in use, for a child process.

        :param lasting: seconds for which they must be valid, if they can be renewed.
        :raises CredentialsError: there are none, they are malformed, or their role session cannot be renewed.
        """
        if self._given is not None:
            return self._given
        if self._role is not None:
            return self._role.lasting(lasting).credentials
        return self._ask("find your AWS credentials", partial(self._find_credentials, lasting))

    def credentials_expiry(self) -> datetime | None:
        """Return when the credentials expire, if botocore fetched them or AWS_CREDENTIAL_EXPIRATION is set."""
        if self._role is not None:
            return self._role.lasting(0).expiration
        expiry = getattr(None if self._given else self._session().get_credentials(), "_expiry_time", None)
        return expiry if isinstance(expiry, datetime) else None

    def caller(self) -> CallerIdentity:
        """Return the caller's identity (GetCallerIdentity, which needs no permission)."""
        answer = self.call("sts", "get_caller_identity")
        token = self.credentials().session_token
        self.known_caller = CallerIdentity(answer["Account"], answer["Arn"], has_session=token is not None)
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
        """Assume a role.

        :param duration: seconds; None for AWS's default of an hour.
        :param policy: a session policy: the session may do what both it and the role allow.
        :raises AccessDenied: the role does not exist, does not trust the caller, or requires another external ID:
            AWS does not tell which.
        """
        request = {
            "RoleArn": role_arn,
            "RoleSessionName": session_name,
            "ExternalId": None if external_id is None else external_id.reveal(),
            "DurationSeconds": duration,
            "SourceIdentity": source_identity,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()] if tags else None,
            "Policy": policy,
        }
        given = {name: value for name, value in request.items() if value is not None}
        answer = self.call("sts", "assume_role", hide=(external_id,), **given)
        return AssumedRole.of(answer, packed=bool(tags or policy))

    def parameter(self, name: str) -> Parameter | None:
        """Return an SSM parameter, decrypted; None if it does not exist."""
        answer = self.find("ssm", "get_parameter", Name=name, WithDecryption=True)
        if answer is None:
            return None
        found = answer["Parameter"]
        return Parameter(ExternalId(found["Value"]), found["Version"], found["LastModifiedDate"], found["Type"])

    def role(self, name: str) -> LiveRole | None:
        """Return a role; None if it does not exist."""
        answer = self.find("iam", "get_role", RoleName=name)
        return None if answer is None else LiveRole.of(answer["Role"])

    def managed_policy_exists(self, arn: str) -> bool:
        """Return whether a managed policy exists."""
        return self.find("iam", "get_policy", PolicyArn=arn) is not None

    def attached_policies(self, role_name: str) -> frozenset[str]:
        """Return the ARNs of the managed policies that are attached to a role."""
        pages = self.pages("iam", "list_attached_role_policies", RoleName=role_name)
        return frozenset(policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"])

    def read_object(self, bucket: str, key: str, *, most: int | None = None) -> bytes:
        """Return an S3 object, or its first ``most`` bytes."""
        return self.object_with_etag(bucket, key, most=most)[0]

    def object_with_etag(
        self, bucket: str, key: str, *, most: int | None = None, attempts: int = ATTEMPTS
    ) -> tuple[bytes, str]:
        """Return an S3 object's content and ETag; retry if the content is cut off, which botocore does not.

        :param most: return only this many bytes of the content.
        :raises AwsError: ``NoSuchKey`` if it does not exist.
        """
        part: dict[str, Any] = {} if most is None else {"Range": f"bytes=0-{most - 1}"}
        answer = self.call("s3", "get_object", Bucket=bucket, Key=key, **part)
        try:
            content: bytes = self._ask("s3:GetObject", partial(answer["Body"].read, most))
        except ConnectionFailed:
            if attempts == 1:
                raise
            return self.object_with_etag(bucket, key, most=most, attempts=attempts - 1)
        return content, answer["ETag"]

    def find(self, service: str, operation: str, **request: Any) -> dict[str, Any] | None:
        """Make a call; return None if AWS says that the thing does not exist."""
        try:
            return self.call(service, operation, **request)
        except AwsError as error:
            if error.code in _ABSENT:
                return None
            raise

    def ensure(self, service: str, operation: str, **request: Any) -> None:
        """Make a call that creates something, unless it exists."""
        try:
            self.call(service, operation, **request)
        except AwsError as error:
            if error.code not in _PRESENT:
                raise

    def call(self, service: str, operation: str, *, hide: _Hidden = (), **request: Any) -> dict[str, Any]:
        """Make a call by its boto3 name; ``hide`` is redacted in AWS's messages.

        :raises CredentialsError: no credentials, or AWS does not accept them.
        :raises ConnectionFailed: no response of AWS.
        :raises AccessDenied: AWS does not allow the call.
        :raises AwsError: AWS refuses it for another reason; its ``code`` says which.
        """
        return self._responses(service, operation, lambda client: [getattr(client, operation)(**request)], hide)[0]

    def pages(self, service: str, operation: str, **request: Any) -> list[dict[str, Any]]:
        """Return all pages of a list call, by boto3's paginator; raises as ``call`` does."""
        return self._responses(service, operation, lambda client: client.get_paginator(operation).paginate(**request))

    def _responses(
        self, service: str, operation: str, send: Callable[[Any], Iterable[Any]], hide: _Hidden = ()
    ) -> list[dict[str, Any]]:
        what = f"{service}:{operation.replace('_', ' ').title().replace(' ', '')}"
        found = self._ask(what, lambda: list(send(self._client(service))), hide)
        return [AwsResponse(each, what, self._where) for each in found]

    def _ask(self, what: str, function: Callable[[], _T], hide: _Hidden = ()) -> _T:
        """Run a function that calls AWS, within the command's time limit."""
        with translated(what, hide, self._where, self._ca_file):
            if self._given is None and self._role is None:
                self._session()
                profiles = self._botocore.full_config.get("profiles", {}).values()
                if any("mfa_serial" in profile for profile in profiles):  # then botocore may prompt for an MFA code
                    self._find_credentials()  # here: a thread that may be abandoned must not read the terminal
            return times.current().call(what, self._where, function)

    def _ca_file(self) -> str | None:
        """Return the CA file in use; None for the CAs of the machine."""
        of_endpoint = None if self.endpoint is None else self.endpoint.ca_file
        found = of_endpoint or self._botocore.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
        return str(found) if found else None

    def _find_credentials(self, lasting: float = 0) -> Credentials:
        """Return the credentials that botocore finds."""
        found = self._session().get_credentials()
        if found is None:
            raise no_credentials()
        # Only credentials that botocore renews have refresh_needed(), which knows their end once they are frozen.
        renewable = lasting and found.get_frozen_credentials() and hasattr(found, "refresh_needed")
        if renewable and found.refresh_needed(lasting):
            self._boto3 = None  # botocore renews its own only shortly before they end; a new session fetches others
            found = self._session().get_credentials()
        frozen = found.get_frozen_credentials()
        token = Secret(frozen.token) if frozen.token else None
        credentials = Credentials(frozen.access_key, Secret(frozen.secret_key), token)
        credentials.check_usable()
        return credentials

    def _client(self, service: str) -> Any:
        with self._clients_lock:  # boto3's sessions are not safe for threads; the clients they make are
            if service not in self._clients:
                if self._given is None and self._role is None:
                    self._find_credentials()
                try:
                    self._clients[service] = self._session().client(service, **self._options())
                except ValueError as error:
                    text, _, url = str(error).partition(": ")
                    if not text.startswith("Invalid endpoint"):
                        raise
                    raise ConnectionFailed(
                        f"{url!r} is not the URL of an endpoint", hint="check AWS_ENDPOINT_URL and aws_endpoint_url"
                    ) from None
            return self._clients[service]

    def _options(self) -> dict[str, Any]:
        from botocore.config import Config

        given = {} if self._given is None else self._given.environment()
        options: dict[str, Any] = {"region_name": self.region} | {name.lower(): given[name] for name in given}
        config: dict[str, Any] = {}
        if self.endpoint is not None:
            ca_file = self.endpoint.ca_file
            options |= {"endpoint_url": self.endpoint.url, "verify": None if ca_file is None else str(ca_file)}
            config = {"use_fips_endpoint": False, "use_dualstack_endpoint": False}  # variants of AWS's own endpoints
            config |= {"proxies": {}} if self.endpoint.is_local else {}
        options["config"] = Config(
            connect_timeout=5,
            read_timeout=10,  # seconds; with the retries, an endpoint that does not respond is reported after a minute
            max_pool_connections=16,  # as many as the threads that issue tokens
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},  # slows down where AWS throttles
            user_agent_extra="venue-access",
            **config,
        )
        return options

    def _session(self) -> Any:
        with self._session_lock:
            if self._boto3 is None:
                import boto3

                self._botocore = new_session(has_credentials=self._given is not None, role=self._role)
                self._boto3 = boto3.Session(botocore_session=self._botocore, profile_name=self._profile)
            return self._boto3
