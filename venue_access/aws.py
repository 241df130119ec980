"""The one door to boto3 and botocore: sessions, typed calls, AWS's faults turned into our errors.

Importing this module costs nothing; boto3 itself is loaded by the first call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from venue_access.aws_refusals import ABSENT, NEW_KEYS, PRESENT, Answer, no_keys, not_aws, refusal
from venue_access.aws_values import AssumedRole, Caller, Endpoint, Keys, LiveRole, Parameter
from venue_access.errors import AwsError, Unreachable
from venue_access.masked import ExternalId, Masked, Secret, scrub

__all__ = ["NEW_KEYS", "AssumedRole", "Aws", "Caller", "Endpoint", "Keys", "LiveRole", "Parameter"]

# What is called here, by the tests, and by botocore itself to find an operator's keys.
_SERVICES = ("ecr", "iam", "kms", "s3", "signin", "ssm", "sso", "sso-oidc", "sts")
_POOL = 16  # connections a client may hold open: as many as the threads that issue tokens
_ATTEMPTS = 5  # with up to 1, 2, 4 and 8 s in between (botocore's standard mode)
_ANSWER_TIMEOUT = 10  # seconds; where AWS does not answer at all, somebody hears of it after a minute


class Aws:
    """One account and region, reached with one set of keys.

    :param keys: None takes what boto3 finds: the environment, ``profile``, an instance's role.
    """

    def __init__(
        self,
        *,
        region: str,
        keys: Keys | None = None,
        profile: str | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self._keys = keys
        self._profile = profile
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._made: Any = None
        self.known_caller: Caller | None = None
        """Who these keys belong to, where that was told without asking."""

    def with_keys(self, keys: Keys) -> Aws:
        """The same account's region and endpoint, called with other keys; shares what boto3 has loaded."""
        other = Aws(region=self.region, keys=keys, endpoint=self.endpoint)
        other._made = self._made
        return other

    def as_session(self, session: AssumedRole) -> Aws:
        """As ``with_keys`` with those of a role's session, whose ARN is then known."""
        other = self.with_keys(session.keys)
        other.known_caller = Caller(session.arn.split(":")[4], session.arn)
        return other

    def in_region(self, region: str) -> Aws:
        """The same keys in another region."""
        if region == self.region:
            return self
        other = Aws(region=region, keys=self._keys, profile=self._profile, endpoint=self.endpoint)
        other._made, other.known_caller = self._made, self.known_caller
        return other

    def keys(self) -> Keys:
        """The keys in use now, for Terraform's environment.

        :raises Unreachable: there are none.
        """
        if self._keys is not None:
            return self._keys
        with _faults("find your AWS keys"):
            found = self._session().get_credentials()
            if found is None:
                raise no_keys()
            frozen = found.get_frozen_credentials()
        token = Secret(frozen.token) if frozen.token else None
        return Keys(frozen.access_key, Secret(frozen.secret_key), token)

    def keys_end(self) -> datetime | None:
        """When the keys in use end, where botocore knows: it got them by itself, or AWS_CREDENTIAL_EXPIRATION says."""
        ends = getattr(None if self._keys else self._session().get_credentials(), "_expiry_time", None)
        return ends if isinstance(ends, datetime) else None

    # -- what the kit asks of AWS ------------------------------------------------------------------------------

    def caller(self) -> Caller:
        """Who these keys belong to (GetCallerIdentity, which needs no permission)."""
        answer = self.call("sts", "get_caller_identity")
        self.known_caller = Caller(answer["Account"], answer["Arn"], self.keys().session_token is not None)
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
        :raises AccessRefused: the role does not exist, does not trust the caller, or wants another external ID:
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
        return Parameter(ExternalId(found["Value"]), found["Version"], found["LastModifiedDate"])

    def overwrite_parameter(self, name: str, value: ExternalId) -> None:
        """Put a new value into an SSM parameter that exists, leaving its other attributes."""
        self.call("ssm", "put_parameter", hide=(value,), Name=name, Value=value.reveal(), Overwrite=True)

    def role(self, name: str) -> LiveRole | None:
        """A role as it is now; None where there is none."""
        answer = self.find("iam", "get_role", RoleName=name)
        return None if answer is None else LiveRole.of(answer["Role"])

    def managed_policy_exists(self, arn: str) -> bool:
        """Whether a managed policy exists."""
        return self.find("iam", "get_policy", PolicyArn=arn) is not None

    def attached_policies(self, role_name: str) -> frozenset[str]:
        """The ARNs of the managed policies attached to a role."""
        attached = self.call("iam", "list_attached_role_policies", RoleName=role_name)["AttachedPolicies"]
        return frozenset(policy["PolicyArn"] for policy in attached)

    def read_object(self, bucket: str, key: str, *, most: int | None = None, attempts: int = _ATTEMPTS) -> bytes:
        """The first ``most`` bytes of an object, or all; asked for again if cut off, which botocore leaves to us."""
        part: dict[str, Any] = {} if most is None else {"Range": f"bytes=0-{most - 1}"}
        answer = self.call("s3", "get_object", Bucket=bucket, Key=key, **part)
        try:
            with _faults("s3:GetObject", endpoint=self.endpoint):
                content: bytes = answer["Body"].read(most)
        except Unreachable:
            if attempts == 1:
                raise
            return self.read_object(bucket, key, most=most, attempts=attempts - 1)
        return content

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
        self, service: str, operation: str, *, hide: tuple[Masked | None, ...] = (), **request: Any
    ) -> dict[str, Any]:
        """One AWS call by its boto3 name; ``hide`` is masked in whatever AWS answers.

        :raises Unreachable: no keys, keys that do not work, no network.
        :raises AccessRefused: AWS does not allow the call.
        :raises AwsError: anything else that AWS refuses; its ``code`` says what.
        """
        what = f"{service}:{operation.replace('_', ' ').title().replace(' ', '')}"
        with _faults(what, hide, self.endpoint):
            answer = getattr(self._client(service), operation)(**request)
        return Answer(answer, what, self.endpoint.url if self.endpoint else "AWS")

    def _client(self, service: str) -> Any:
        with self._lock:  # boto3's sessions are not safe for threads; the clients they make are
            client = self._clients.get(service)
            if client is None:
                client = self._clients[service] = self._new_client(service)
        return client

    def _new_client(self, service: str) -> Any:
        from botocore.config import Config

        options: dict[str, Any] = {}
        own: dict[str, Any] = {}
        if self._keys is not None:
            options["aws_access_key_id"] = self._keys.access_key_id
            options["aws_secret_access_key"] = self._keys.secret_access_key.reveal()
            if self._keys.session_token is not None:
                options["aws_session_token"] = self._keys.session_token.reveal()
        if self.endpoint is not None:
            options["endpoint_url"] = self.endpoint.url
            options["verify"] = None if self.endpoint.ca_file is None else str(self.endpoint.ca_file)
            own |= {"use_fips_endpoint": False, "use_dualstack_endpoint": False}  # AWS's variants of its own endpoints
            if self.endpoint.ca_file is not None:
                own["proxies"] = {}  # on this machine: no proxy of the environment's reaches it
        return self._session().client(
            service,
            region_name=self.region,
            config=Config(
                connect_timeout=5,
                read_timeout=_ANSWER_TIMEOUT,
                max_pool_connections=_POOL,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                user_agent_extra="venue-access",
                **own,
            ),
            **options,
        )

    def _session(self) -> Any:
        if self._made is None:
            import boto3
            import botocore.session

            # With keys of its own a session must not fall over a profile or a file that the environment names.
            nowhere = (None, None, os.devnull, None)
            deaf = {"profile": (None,) * 4, "config_file": nowhere, "credentials_file": nowhere}
            found = botocore.session.Session(session_vars=deaf if self._keys is not None else None)
            found.register_component("data_loader", _loader())
            self._made = boto3.Session(botocore_session=found, profile_name=self._profile)
        return self._made


def _loader() -> Any:
    """botocore's loader, told which services there are: it would look into four hundred folders at each start."""
    from botocore.loaders import Loader

    class Told(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            return list(_SERVICES)

    return Told()


@contextmanager
def _faults(what: str, hide: tuple[Masked | None, ...] = (), endpoint: Endpoint | None = None) -> Iterator[None]:
    """Turn botocore's exceptions into ours; every fault that an operator meets has its remedy here."""
    from botocore import exceptions as fault
    from botocore.parsers import ResponseParserError

    where = endpoint.url if endpoint else "AWS"
    try:
        yield
    except fault.ClientError as error:
        told, status = error.response.get("Error", {}), error.response["ResponseMetadata"].get("HTTPStatusCode", 400)
        if not told.get("Code"):
            raise not_aws(what, where, f"HTTP {status}") from None
        raise refusal(what, told["Code"], scrub(told.get("Message", ""), *hide), status) from None
    except fault.NoCredentialsError:
        raise no_keys() from None
    except (fault.ProfileNotFound, fault.PartialCredentialsError, fault.ConfigParseError) as error:
        raise Unreachable(
            f"your AWS configuration is not usable: {error}", hint="mend ~/.aws/config, or the environment"
        ) from error
    except (fault.CredentialRetrievalError, fault.SSOError, fault.TokenRetrievalError) as error:
        raise Unreachable(f"no AWS keys could be had: {error}", hint=NEW_KEYS) from error
    except RuntimeError as error:
        if "still expired" not in str(error):  # what botocore says of AWS_CREDENTIAL_EXPIRATION in the past
            raise
        raise Unreachable("your AWS keys have expired", hint=NEW_KEYS) from None
    except (fault.HTTPClientError, fault.ConnectionError, fault.IncompleteReadError, ResponseParserError) as error:
        # The text of these names the endpoint; a request's body is never in it.
        message = f"{where} could not be reached for {what} ({type(error).__name__})"
        raise Unreachable(message, hint="check the network and the endpoint's URL") from None
    except fault.BotoCoreError as error:
        raise AwsError(f"{what} could not be made: {scrub(str(error), *hide)}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # what botocore's parsers meet in such an answer
        raise not_aws(what, where, type(error).__name__) from None
