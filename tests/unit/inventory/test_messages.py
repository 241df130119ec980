"""Each message about an inventory names the file and line, and says what is wrong in terms of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from venue_access.errors import InventoryError
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.venues import build_venues, inventory_warnings, venue_warnings

GROUP = """\
project: unity
account_id: "111122223333"
region: us-west-2
trusted_principals: [arn:aws:iam::111122223333:role/operator]
"""
FILES = {
    "hosts.yml": "all:\n  children:\n    unity:\n      hosts:\n        unity-dev:\n",
    "group_vars/unity.yml": GROUP,
}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {**FILES, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def messages(folder: Path, files: dict[str, str]) -> list[str]:
    """The problems, or else the warnings, of an inventory with these files."""
    try:
        inventory = load_inventory(written(folder, files))
        venues = build_venues(inventory)
        found = [*inventory_warnings(inventory), *venue_warnings(inventory, venues.values())]
    except InventoryError as error:
        found = list(error.problems)
    return [str(each).replace(f"{folder}/", "") for each in found]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("all:\n  hosts:\n\tunity-dev:\n", "hosts.yml:3: the line is indented with a tab"),
        ("all:\n  hosts:\n    unity-dev: {a: b}\n\tx: y\n", "hosts.yml:4: the line is indented with a tab"),
        ("all:\n  hosts\n    unity-dev:\n", "hosts.yml:2: a colon is missing"),
        ("all:\n  hosts:\n    unity-dev\n      region: x\n", "hosts.yml:3: a colon is missing"),
        ("all:\n  vars:\n    a: b\n    project unity\n    region: x\n", "hosts.yml:4: a colon is missing"),
        ("all:\n  hosts\n", "hosts.yml:2: all: a group is a mapping"),
        ("# mine\nall\n", "hosts.yml:2: expected a mapping, found a string; is a colon missing?"),
        ("all:\n  hosts:\n    unity-dev:\n      a: b: c\n", "hosts.yml:4: a value has another ': ' in it"),
        ("all:\n  vars:\n    a: {{ b }}\n", "hosts.yml:3: a key is a mapping or a list; put a value that begins"),
        ("all:\n  hosts:\n    a-b:\n    a-b:\n", "hosts.yml:4: duplicate key 'a-b'"),
        ('{"all": {\n"hosts": {"a-b": {}},\n\t"hosts": {}}}', "hosts.yml:3: duplicate key 'hosts'"),
    ],
)
def test_malformed_file(text: str, message: str, tmp_path: Path) -> None:
    (found,) = messages(tmp_path, {"hosts.yml": text})
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"group_vars/unity.yml": f"{GROUP}tags: 1\n"}, "group_vars/unity.yml:5: unity-dev: tags: expected a mapping"),
        (
            {"host_vars/unity-dev.json": '{\n "tags":\n {"k": "v"},\n "stack": "../x"\n}'},
            "host_vars/unity-dev.json:4: unity-dev: stack: '../x' must be",
        ),
        (
            {"host_vars/unity-dev.yml": "users:\n  alice:\n    email: a@b.c\n    keys: [x]\n"},
            "host_vars/unity-dev.yml:4: unity-dev: users: alice: keys: 'x' cannot be encrypted to",
        ),
        ({"group_vars/unity.yml": GROUP[15:]}, "hosts.yml:5: unity-dev: project: is required"),
        (
            {"group_vars/all.yml": "# comment\nregoin: x\n"},
            "group_vars/all.yml:2: unity-dev: unknown variable 'regoin' (did you mean 'region'?)",
        ),
        ({"groupvars/all.yml": "region: x\n"}, "groupvars: Ansible would read this folder as inventory; rename it to"),
        ({"airs.yml.txt": ""}, "airs.yml.txt: is not read because of its ending; rename it to 'airs.yml'"),
        ({"group_vars/airs.yml.txt": ""}, "group_vars/airs.yml.txt: is not read because of its ending"),
        (
            {"group_vars/unity.yml": f"{GROUP}kms_key_arns: [arn:aws:kms:us-west-2:444455556666:key/mrk-{'0' * 32}]\n"},
            f"group_vars/unity.yml:5: unity-dev: kms_key_arns: 'arn:aws:kms:us-west-2:444455556666:key/mrk-{'0' * 32}'"
            " is a key of another account",
        ),
    ],
)
def test_wrong_or_dubious_values_and_files_are_reported(files: dict[str, str], message: str, tmp_path: Path) -> None:
    (found,) = messages(tmp_path, files)
    assert found.startswith(message)


def test_groups_with_different_projects_are_a_warning(tmp_path: Path) -> None:
    hosts = "all:\n  children:\n    unity: {hosts: {unity-dev: }}\n    airs: {hosts: {unity-dev: }}\n"
    files = {"hosts.yml": hosts, "group_vars/airs.yml": "project: airs\n"}
    (found,) = messages(tmp_path, files)
    assert found.startswith("group_vars/unity.yml:1: unity-dev: project: 'unity' overrides 'airs' (")
    assert found.endswith("group_vars/airs.yml:1), of another of its groups")


def test_group_that_contains_another_may_be_overridden(tmp_path: Path) -> None:
    hosts = "all:\n  children:\n    airs: {children: {unity: {hosts: {unity-dev: }}}}\n"
    assert messages(tmp_path, {"hosts.yml": hosts, "group_vars/airs.yml": "project: airs\n"}) == []


@pytest.mark.parametrize(
    "place", ["contact: {}", "users: {{alice: {{email: {}}}}}", "users: {{alice: {{keys: [{}]}}}}", "tags: {{k: {}}}"]
)
def test_private_key_is_called_one_and_not_shown(place: str, tmp_path: Path) -> None:
    key = "'-----BEGIN OPENSSH PRIVATE KEY-----hunter2'"
    (found,) = messages(tmp_path, {"host_vars/unity-dev.yml": place.format(key)})
    assert "has a private key" in found
    assert "hunter2" not in found


def test_name_of_a_private_key_file_is_called_one(tmp_path: Path) -> None:
    (found,) = messages(tmp_path, {"host_vars/unity-dev.yml": "users: {alice: {keys: [keys/id_ed25519]}}"})
    assert found.endswith("'keys/id_ed25519' is the name of a private key; give the public one, 'keys/id_ed25519.pub'")
