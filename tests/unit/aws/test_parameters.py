"""The attributes of an SSM parameter, where AWS answers in a way that the emulator does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AwsClient
from venue_access.aws.parameters import overwrite_parameter, secure_string_steps
from venue_access.errors import AwsError
from venue_access.sensitive import ExternalId


class Paged(AwsClient):
    """SSM, which may answer DescribeParameters with an empty page that another follows (SSM API reference)."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        super().__init__(region="us-west-2")
        self.answers = list(pages)
        self.put: dict[str, Any] = {}

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        assert (service, operation) == ("ssm", "put_parameter")
        self.put = request
        return {}

    def pages(self, service: str, operation: str, **request: Any) -> list[dict[str, Any]]:
        assert (service, operation) == ("ssm", "describe_parameters")
        return self.answers


def test_attributes_after_an_empty_page_are_kept() -> None:
    described = {"Name": "/id", "Type": "SecureString", "KeyId": "alias/own", "Tier": "Advanced", "Version": 3}
    aws = Paged({"Parameters": []}, {"Parameters": [described]})
    overwrite_parameter(aws, "/id", ExternalId("new"))
    del aws.put["hide"]
    kept = {"Type": "SecureString", "KeyId": "alias/own", "Tier": "Advanced"}
    assert aws.put == {"Name": "/id", "Value": "new", "Overwrite": True, **kept}


def test_deleted_parameter_is_not_rewritten() -> None:
    aws = Paged({"Parameters": []}, {"Parameters": []})
    with pytest.raises(AwsError, match="the SSM parameter /id does not exist"):
        overwrite_parameter(aws, "/id", ExternalId("new"))
    assert aws.put == {}


def test_secure_string_steps_name_region_and_endpoint() -> None:
    venue = a_venue(aws_endpoint_url="https://aws.example.org")
    assert (
        " aws ssm delete-parameter --region us-west-2 --endpoint-url https://aws.example.org"
        " --name /unity/unity/dev/cs/sts/role/external-id; wait 30 seconds; invoke provision --venue unity-dev."
    ) in secure_string_steps(venue)
