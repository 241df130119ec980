"""Where the console of a region is, where it is signed in to, and what the URLs look like.

The source: IAM User Guide, "Enable custom identity broker access to the AWS console", and botocore's endpoint rules of
the ``signin`` service for the hosts of each partition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.inventory.regions import PARTITIONS
from venue_access.sensitive import Secret

URL_LASTS = 900
"""Seconds that a sign-in token, and so the URL, can be used."""

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
        """The console of a region.

        :param partition: the venue's, which the inventory may name for a region that is not listed.
        :raises UsageError: its partition is not known, or has no sign-in host that AWS documents: credentials are
            never sent to another partition's.
        """
        partition = partition or PARTITIONS.get(region)
        if partition is None:
            raise UsageError(
                f"region {region!r} is of no partition that is known, so neither is where its console is",
                hint="name a region such as us-west-2",
            )
        if partition not in _DOMAINS:
            raise UsageError(
                f"{region} is in the partition {partition}, whose sign-in host AWS does not document",
                hint=f"this works in: {', '.join(_DOMAINS)}",
            )
        return cls(region, _DOMAINS[partition])

    @property
    def federation(self) -> str:
        """Where credentials are exchanged for a sign-in token, and the token for a session: the same host for both."""
        return f"https://{self.region}.signin.{self.domain}/federation"

    def page(self, path: str) -> str:
        """A page of the console by its path."""
        return f"https://{self.region}.console.{self.domain}/{path}?region={self.region}"

    def check_destination(self, url: str) -> None:
        """See that a URL is a page of this partition's console.

        :raises UsageError: it is not: AWS would refuse it, or lead the person elsewhere.
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
                f"--destination {url!r} is no page of this console",
                hint=f"it begins with https://{home}/ or https://{self.region}.{home}/",
            )

    def login_url(self, signin_token: Secret, *, destination: str, issuer: str | None = None) -> Secret:
        """The URL that signs in whoever opens it, and takes them to ``destination``."""
        fields = {"Action": "login"}
        if issuer is not None:
            fields["Issuer"] = issuer
        fields |= {"Destination": destination, "SigninToken": signin_token.reveal()}
        return Secret(f"{self.federation}?{urlencode(fields, quote_via=quote, safe='')}")


def check_issuer(url: str) -> None:
    """See that ``--issuer`` can be opened: there the console sends people whose session has ended.

    :raises UsageError: it is no URL of the web.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits or not url.isprintable() or " " in url:
        raise UsageError(f"--issuer {url!r} is no URL", hint="such as https://access.example.org/")


@dataclass(frozen=True)
class Page:
    """The page that is to be opened, as the flags say it; the console's home where none does."""

    service: str | None = None
    """``s3``, ``ecr``, or another as the console's URLs name it."""
    resource: str | None = None
    """A bucket, or a repository by its whole name."""
    destination: str | None = None
    """A URL, instead of the others."""

    def __post_init__(self) -> None:
        if self.service is not None and self.destination is not None:
            raise UsageError("--service and --destination exclude each other")
        if self.service is not None and _SERVICE.fullmatch(self.service) is None:
            raise UsageError(
                f"--service {self.service!r} is no service", hint="such as s3, ecr or cloudwatch, as its URL has it"
            )
        if self.resource is not None and self.service not in ("s3", "ecr"):
            raise UsageError("--resource goes with --service s3 or ecr")

    def url(self, site: Site, venue: Venue | None, buckets: Callable[[], Sequence[str]]) -> str:
        """The page's URL: for ``s3`` and ``ecr`` the venue's own bucket or repository by name.

        :param buckets: the venue's; asked for ``s3`` only, and the first is taken unless one is named.
        :raises UsageError: it is no page of this console, or none of the venue's.
        """
        if self.destination is not None:
            site.check_destination(self.destination)
            return self.destination
        if self.resource is not None and venue is None:
            raise UsageError("--resource goes with a venue", hint="name it with --venue")
        if self.service == "s3":
            return site.page(self._bucket_path(buckets()))
        if self.service == "ecr":
            return site.page(self._repository_path(venue))
        return site.page(f"{self.service or 'console'}/home")

    def _bucket_path(self, buckets: Sequence[str]) -> str:
        if self.resource is not None and self.resource not in buckets:
            raise UsageError(f"{self.resource!r} is no bucket of the venue", hint=f"it has: {', '.join(buckets)}")
        return "/".join(["s3/buckets", *([self.resource] if self.resource else buckets[:1])])

    def _repository_path(self, venue: Venue | None) -> str:
        if self.resource is None or venue is None:
            return "ecr/private-registry/repositories"
        if not venue.has_repository(self.resource):
            begin = " or ".join(venue.ecr_repository_prefixes)
            raise UsageError(f"{self.resource!r} is no repository of {venue.name}", hint=f"they begin with {begin}")
        return f"ecr/repositories/private/{venue.account_id}/{quote(self.resource)}"
