"""AWS lists in pages: whoever reads the first one only misses what is on the others."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import botocore.session
import pytest

from tests.sources import PACKAGE, Module

ONE_PAGE = {
    "audit.probes": "each probe asks whether a call is allowed, not what it lists",
    "tokens.role_revocations": "it asks whether a call is refused",
    "ledger.s3": "reads pages of its own: the newest entry needs one, and a whole ledger all",
}
"""Where a listing is not read by ``AwsClient.pages``, and why."""
_PAGED = ("pages", "get_paginator")


def paginated_operations() -> frozenset[str]:
    """The operations of the services that are called here whose answers come in pages."""
    session = botocore.session.get_session()
    found = set()
    for service in ("ecr", "iam", "kms", "s3", "ssm", "sts"):
        client = session.create_client(
            service, region_name="us-west-2", aws_access_key_id="AKIA0", aws_secret_access_key="s"
        )
        found |= {name for name in client.meta.method_to_api_mapping if client.can_paginate(name)}
    return frozenset(found)


def listings_of_one_page(tree: ast.AST, paginated: frozenset[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            by = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            said = [each.value for each in node.args if isinstance(each, ast.Constant)]
            yield from (f"line {node.lineno}: {each}" for each in said if each in paginated and by not in _PAGED)
        elif isinstance(node, ast.Attribute) and node.attr in paginated:
            yield f"line {node.lineno}: {node.attr}"


@pytest.fixture(scope="module")
def paginated() -> frozenset[str]:
    return paginated_operations()


@pytest.mark.parametrize("module", [each for each in PACKAGE if each.name not in ONE_PAGE], ids=lambda each: each.name)
def test_all_pages_are_read(module: Module, paginated: frozenset[str]) -> None:
    assert list(listings_of_one_page(module.tree, paginated)) == []


def test_missing_pagination_is_noticed(paginated: frozenset[str]) -> None:
    assert {"list_role_policies", "list_attached_role_policies", "list_objects_v2", "describe_images"} <= paginated
    written = "aws.call('iam', 'list_role_policies'); client.list_users(); aws.pages('iam', 'list_roles')"
    found = list(listings_of_one_page(ast.parse(written), paginated))
    assert found == ["line 1: list_role_policies", "line 1: list_users"]


def test_exceptions_exist() -> None:
    assert {module.name for module in PACKAGE} >= ONE_PAGE.keys()
