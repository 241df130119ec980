"""``invoke provision`` with credentials that do not reach an account."""

from __future__ import annotations

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, emulated, new_venue
from tests.functional.provisioning import emulated_as_if_real, environment, operator_keys, role_of
from tests.functional.proxy import Proxy
from venue_access.aws.client import Credentials


def test_wrong_credentials_are_unreachable_with_remedy(kit: Kit, proxy: Proxy) -> None:
    real = new_venue()
    made = emulated_as_if_real(kit, real)
    elsewhere, keys = operator_keys_of_another_account(kit), operator_keys(kit)
    expired = {"GetCallerIdentity": ("ExpiredToken", "The security token included in the request is expired")}
    for url, given, message, remedy in (
        (
            made["aws_endpoint_url"],
            Credentials("ASIAINVALID", keys.secret_access_key),
            "does not accept your credentials",
            "new credentials",
        ),
        (made["aws_endpoint_url"], elsewhere, f"but your credentials are of account {OTHER_ACCOUNT}", "aws_profile"),
        (proxy.url, keys, "your AWS credentials have expired", "get new credentials from your account portal"),
        ("http://127.0.0.1:9", keys, "http://127.0.0.1:9 could not be reached", "check the network"),
    ):
        kit.write_inventory({real: {**made, "aws_endpoint_url": url}})
        proxy.refusals = expired
        result = kit("provision", typed="", timeout=300, **environment(kit, given))
        assert result.code == 5, result.err
        assert message in result.err
        assert remedy in result.err
        assert result.out == f"{real} : ok=0 changed=0 unreachable=1 failed=0 skipped=0 rescued=0 ignored=0\n"
    assert kit.root().role(role_of(real)) is None


def test_unreachable_venue_does_not_stop_others(kit: Kit) -> None:
    real, fake = new_venue(), new_venue()
    kit.write_inventory({real: emulated_as_if_real(kit, real), fake: emulated(fake)})
    result = kit("provision", "--limit", "all", "--json", "--check")
    assert result.code == 5
    assert "no AWS credentials found" in result.err
    venues = result.document()["venues"]
    assert (venues[real]["unreachable"], venues[real]["failed"]) == (True, False)
    assert venues[real]["error"].startswith("no AWS credentials found\n  get new credentials from your account portal")
    assert (venues[fake]["unreachable"], venues[fake]["add"]) == (False, 6)


def test_unassumable_operator_role_is_unreachable(kit: Kit) -> None:
    real = new_venue()
    role = f"arn:aws:iam::{ACCOUNT}:role/not-there"
    kit.write_inventory({real: {**emulated_as_if_real(kit, real), "operator_role_arn": role}})
    result = kit("provision", typed="", timeout=300, **environment(kit, operator_keys(kit)))
    assert result.code == 5
    assert "unreachable=1 failed=0" in result.out
    assert f"operator_role_arn: cannot assume {role} with your credentials" in result.err


def operator_keys_of_another_account(kit: Kit) -> Credentials:
    name = new_venue()
    there = Kit(kit.folder, kit.work_directory)
    there.inventory = kit.folder / "elsewhere.yml"
    there.environment["INVOKE_INVENTORY"] = str(there.inventory)
    there.write_inventory({name: emulated(name, account_id=OTHER_ACCOUNT)})
    there.done("local.up")
    return operator_keys(kit, OTHER_ACCOUNT)
