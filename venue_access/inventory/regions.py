"""Partitions, their regions, and their domains."""

from __future__ import annotations

import re

REGIONS = {
    "aws": (
        "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2"
        " ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7"
        " ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2"
        " eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2"
    ).split(),
    "aws-cn": ["cn-north-1", "cn-northwest-1"],
    "aws-eusc": ["eusc-de-east-1"],
    "aws-iso": ["us-iso-east-1", "us-iso-west-1"],
    "aws-iso-b": ["us-isob-east-1", "us-isob-west-1"],
    "aws-iso-e": ["eu-isoe-west-1"],
    "aws-iso-f": ["us-isof-east-1", "us-isof-south-1"],
    "aws-us-gov": ["us-gov-east-1", "us-gov-west-1"],
}
"""The regions of each partition: botocore's partitions.json without its ``*-global`` stand-ins."""

PARTITIONS = {region: partition for partition, regions in REGIONS.items() for region in regions}
"""The partition of each region."""

DNS_SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-us-gov": "amazonaws.com",
}
"""The domain of each partition's service endpoints: ``dnsSuffix`` of botocore's partitions.json."""

_PREFIXES = {
    "aws-cn": "cn-",
    "aws-eusc": "eusc-",
    "aws-iso": "us-iso-",
    "aws-iso-b": "us-isob-",
    "aws-iso-e": "eu-isoe-",
    "aws-iso-f": "us-isof-",
    "aws-us-gov": "us-gov-",
}
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", re.ASCII)


def partition_by_name(region: str) -> str | None:
    """Return the partition whose naming scheme a region follows, known or not; None if the name is malformed.

    botocore derives the endpoints of a region that it does not list from the name too (``regionRegex`` of its
    partitions.json), and takes a name of no other scheme for one of the partition ``aws``.
    """
    if region in PARTITIONS:
        return PARTITIONS[region]
    if not _REGION.fullmatch(region):
        return None
    return next((partition for partition, prefix in _PREFIXES.items() if region.startswith(prefix)), "aws")
