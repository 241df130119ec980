"""The console's hosts in each partition, and the URLs of its pages and of signing in.

The sources are the IAM User Guide, "Enable custom identity broker access to the AWS console", and botocore's endpoint
rules of the ``signin`` service, which list each partition's hosts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from venue_access.errors import UsageError
from venue_access.inventory.arns import PARTITIONS
from venue_access.inventory.model import Venue
from venue_access.sensitive import Secret

URL_LASTS = 900
"""Seconds that a sign-in token, and so the URL, is valid."""

_DOMAINS = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-eusc": "amazonaws-eusc.eu",
    "aws-us-gov": "amazonaws-us-gov.com",
}
_SERVICE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True)
class Site:
    """The console of one region."""

    region: str
    domain: str
    """Of the partition, such as ``aws.amazon.com``."""

    @classmethod
    def of(cls, region: str, partition: str | None = None) -> Site:
        """Return the console of a region.

        :param partition: the venue's; the inventory may set it for a region that the kit does not list.
        :raises UsageError: its partition is not known, or AWS documents no sign-in host of it: credentials are never
            sent to another partition's host.
        """
        partition = partition or PARTITIONS.get(region)
        if partition is None:
            raise UsageError(
                f"the partition of region {region!r} is not known, so its console is not known either",
                hint="name a region such as us-west-2",
            )
        if partition not in _DOMAINS:
            raise UsageError(
                f"{region} is in the partition {partition}, whose sign-in host AWS does not document",
                hint=f"the partitions with a console are: {', '.join(_DOMAINS)}",
            )
        return cls(region, _DOMAINS[partition])

    @property
    def federation(self) -> str:
        """The URL that exchanges credentials for a sign-in token, and the token for a session."""
        return f"https://{self.region}.signin.{self.domain}/federation"

    def page(self, path: str) -> str:
        """Return the URL of a page, by its path."""
        return f"https://{self.region}.console.{self.domain}/{path}?region={self.region}"

    def check_destination(self, url: str) -> None:
        """Check that a URL is a page of this partition's console.

        :raises UsageError: it is not: AWS would refuse it, or redirect to another site.
        """
        home = f"console.{self.domain}"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        plain = url.isascii() and url.isprintable() and not re.search(r"[\s\\\"<>]", url)
        ours = host == home or host.endswith(f".{home}")
        if not (plain and ours and parts.scheme == "https" and port in (None, 443) and "@" not in parts.netloc):
            raise UsageError(
                f"--destination {url!r} is not a page of this console",
                hint=f"it begins with https://{home}/ or https://{self.region}.{home}/",
            )

    def login_url(self, signin_token: Secret, *, destination: str, issuer: str | None = None) -> Secret:
        """Return the URL that signs in everybody who opens it, and then opens ``destination``."""
        fields = {"Action": "login"}
        if issuer is not None:
            fields["Issuer"] = issuer
        fields |= {"Destination": destination, "SigninToken": signin_token.reveal()}
        return Secret(f"{self.federation}?{urlencode(fields, quote_via=quote, safe='')}")


def check_issuer(url: str) -> None:
    """Check ``--issuer``, the URL where the console sends people whose session has ended.

    :raises UsageError: it is not an HTTP URL.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits or not url.isprintable() or " " in url:
        raise UsageError(f"--issuer {url!r} is not a URL", hint="write one such as https://access.example.org/")


@dataclass(frozen=True)
class Page:
    """The page to open, by the flags; without any the console's home."""

    service: str | None = None
    """``s3``, ``ecr``, or another service by its name in the console's URLs."""
    resource: str | None = None
    """A bucket, or a repository by its whole name."""
    destination: str | None = None
    """A URL, instead of the others."""

    def __post_init__(self) -> None:
        if self.service is not None and self.destination is not None:
            raise UsageError("--service and --destination exclude each other")
        if self.service is not None and _SERVICE.fullmatch(self.service) is None:
            raise UsageError(
                f"--service {self.service!r} is not the name of a service",
                hint="write it as in the console's URLs: s3, ecr or cloudwatch",
            )
        if self.resource is not None and self.service not in ("s3", "ecr"):
            raise UsageError("--resource goes with --service s3 or ecr")

    def url(self, site: Site, venue: Venue | None, buckets: Sequence[str]) -> str:
        """Return the URL of the page.

        :param buckets: the venue's, for ``s3``: the page shows the first unless ``--resource`` names another.
        :raises UsageError: it is not a page of this console, or the resource is not the venue's.
        """
        if self.destination is not None:
            site.check_destination(self.destination)
            return self.destination
        if self.resource is not None and venue is None:
            raise UsageError("--resource goes with a venue", hint="name it with --venue")
        if self.service == "s3":
            return site.page(self._bucket_path(buckets))
        if self.service == "ecr":
            return site.page(self._repository_path(venue))
        return site.page(f"{self.service or 'console'}/home")

    def _bucket_path(self, buckets: Sequence[str]) -> str:
        if self.resource is not None and self.resource not in buckets:
            raise UsageError(
                f"{self.resource!r} is not a bucket of the venue", hint=f"its buckets are: {', '.join(buckets)}"
            )
        return "/".join(["s3/buckets", *([self.resource] if self.resource else buckets[:1])])

    def _repository_path(self, venue: Venue | None) -> str:
        if self.resource is None or venue is None:
            return "ecr/private-registry/repositories"
        if not venue.has_repository(self.resource):
            begin = " or ".join(venue.ecr_repository_prefixes)
            raise UsageError(f"{self.resource!r} is not a repository of {venue.name}", hint=f"they begin with {begin}")
        return f"ecr/repositories/private/{venue.account_id}/{quote(self.resource)}"
