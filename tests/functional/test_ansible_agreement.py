"""Our inventory against Ansible's own: its commands on real folders, its Python API on generated ones.

VENUE_ACCESS_SOAK=1 tries sixty times as many generated inventories.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from venue_access.errors import UsageError
from venue_access.inventory.exports import ANSIBLES_OWN, graph, to_list
from venue_access.inventory.groups import Inventory
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.patterns import Selection, select

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/inventories"
INVENTORIES = {
    **{
        name: DATA / name
        for name in ("nested", "ranges", "files", "priorities", "empty_groups", "yaml_types", "several_files")
    },
    "one_file": DATA / "one_file.yml",
    "local": ROOT / "inventory/local",
    "example": ROOT / "inventory/example",
}
EXAMPLES = 3000 if os.environ.get("VENUE_ACCESS_SOAK") else 50
GENEROUS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def chosen(*cases: str, quick: Sequence[str]) -> list[Any]:
    """Return the cases, with all but the quick ones marked for the soak: each starts Ansible, which takes a second."""
    return [case if case in quick else pytest.param(case, marks=pytest.mark.soak) for case in cases]


def ansible(command: str, *arguments: str | Path, home: Path) -> str:
    config = home / "ansible.cfg"
    config.touch()
    environment = {**os.environ, "ANSIBLE_HOME": str(home), "ANSIBLE_CONFIG": str(config), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [Path(sys.executable).with_name(command), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("name", chosen(*INVENTORIES, quick=("several_files", "yaml_types", "example")))
def test_list_matches_ansible_inventory(name: str, tmp_path: Path) -> None:
    path = INVENTORIES[name]
    theirs = json.loads(ansible("ansible-inventory", "-i", path, "--list", home=tmp_path))
    ours = to_list(load_inventory(path))
    assert json.dumps(ours, sort_keys=True, indent=1) == json.dumps(theirs, sort_keys=True, indent=1)


@pytest.mark.parametrize("name", chosen("nested", "several_files", "empty_groups", quick=("several_files",)))
def test_graph_matches_ansible_inventory(name: str, tmp_path: Path) -> None:
    theirs = ansible("ansible-inventory", "-i", INVENTORIES[name], "--graph", home=tmp_path)
    assert graph(load_inventory(INVENTORIES[name])) == theirs.rstrip("\n")


@pytest.mark.parametrize(
    "pattern",
    chosen(
        "unity:sounder:!*-prod",
        "govcloud,unity[1:2],&unity",
        "~.*-(dev|0[12])$",
        f"@{DATA / 'limit.txt'}",
        "nobody,unity",
        quick=("govcloud,unity[1:2],&unity", f"@{DATA / 'limit.txt'}"),
    ),
)
def test_limit_matches_ansible(pattern: str, tmp_path: Path) -> None:
    path = INVENTORIES["example"]
    listed = ansible("ansible", "all", "-i", path, "--limit", pattern, "--list-hosts", home=tmp_path)
    _, *hosts = (line.strip() for line in listed.splitlines())
    assert list(select(load_inventory(path), pattern).hosts) == hosts


# Generated inventories, read by Ansible in this process.

GROUPS = ["g1", "g2", "g3", "g4", "g5"]
HOSTS = ["a", "b", "c-1", "c-2", "d.x"]
ENTRIES = [*HOSTS, "c-[1:2]", "r[01:02]", "[a:b]"]
VALUES = st.one_of(st.integers(0, 3), st.sampled_from(["text", "012", None, True, [1], {"k": 1}, {"l": 2}]))
VARIABLES = st.dictionaries(st.sampled_from(["v", "w", "x"]), VALUES, max_size=2)
GROUP_VARIABLES = st.builds(
    lambda variables, priority: variables | priority,
    VARIABLES,
    st.sampled_from([{}, {}, {"ansible_group_priority": 2}, {"ansible_group_priority": 0}]),
)


def groups_after(index: int) -> st.SearchStrategy[dict[str, Any]]:
    """Groups that hold only later ones, so that none holds itself; each may be named in several places."""
    named = [st.tuples(st.just(GROUPS[at]), st.none() | group(at)) for at in range(index, min(index + 3, len(GROUPS)))]
    return st.lists(st.one_of(named), max_size=2, unique_by=lambda pair: pair[0]).map(dict) if named else st.just({})


def group(index: int) -> st.SearchStrategy[dict[str, Any]]:
    hosts = st.none() | st.sampled_from(HOSTS) | st.dictionaries(st.sampled_from(ENTRIES), VARIABLES, max_size=2)
    children = st.deferred(lambda: groups_after(index + 1))
    return st.fixed_dictionaries({}, optional={"hosts": hosts, "vars": GROUP_VARIABLES, "children": children})


DOCUMENTS = st.builds(
    lambda alls, tops: {"all": alls, **tops},
    st.fixed_dictionaries(
        {"children": groups_after(0)},
        optional={"hosts": st.dictionaries(st.sampled_from(ENTRIES), VARIABLES, max_size=2), "vars": GROUP_VARIABLES},
    ),
    groups_after(0),
)
VARS_FILES = st.dictionaries(
    st.tuples(
        st.sampled_from(
            [("group_vars", name) for name in ["all", "ungrouped", *GROUPS]] + [("host_vars", h) for h in HOSTS]
        ),
        st.sampled_from(["", ".yml", ".yaml", ".json", "/one.yml", "/two", "/in/three.json"]),
    ),
    GROUP_VARIABLES,
    max_size=4,
)
FOLDERS = st.tuples(st.lists(DOCUMENTS, min_size=1, max_size=2), VARS_FILES)

NAMES = st.sampled_from(
    [*GROUPS, *HOSTS, "all", "ungrouped", "g*", "c-?", "[ab]", "*", "r0*", "~c|g[12]", "~.*1", "none"]
)
SUBSCRIPTS = st.sampled_from(["", "", "", "[0]", "[-1]", "[1:2]", "[1:]", "[0:0]", "[5]"])
PIECES = st.builds("{}{}{}".format, st.sampled_from(["", "", "&", "!"]), NAMES, SUBSCRIPTS)
PATTERNS = st.builds(str.join, st.sampled_from([",", ":", " , "]), st.lists(PIECES, min_size=1, max_size=4))

_numbers = count()


@pytest.fixture(scope="module", autouse=True)
def plugins(tmp_path_factory: pytest.TempPathFactory) -> None:
    init_plugin_loader()


def written(base: Path, folder: tuple[list[Any], dict[Any, Any]]) -> Path:
    """A new folder with these documents and variable files: Ansible remembers what it found by path."""
    documents, variables = folder
    path = base / f"inventory-{next(_numbers)}"
    path.mkdir()
    for number, document in enumerate(documents):
        (path / f"{number}.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    for ((kind, name), ending), values in variables.items():
        file = path / kind / f"{name}{ending}"
        if file.is_dir() or any(parent.is_file() for parent in file.parents):
            continue  # drawn both as a file and as a folder
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    return path


def theirs(path: Path) -> tuple[InventoryManager, VariableManager]:
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(path)])
    return manager, VariableManager(loader=loader, inventory=manager)


@GENEROUS
@given(folder=FOLDERS)
def test_groups_and_variables_of_any_inventory_agree(folder: Any, tmp_path: Path) -> None:
    path = written(tmp_path, folder)
    manager, variables = theirs(path)
    ours = load_inventory(path)
    assert list(ours.groups) == list(manager.groups)
    for name, group in manager.groups.items():
        assert list(ours.groups[name].hosts) == [host.name for host in group.hosts]
        assert list(ours.groups[name].children) == [child.name for child in group.child_groups]
        assert set(ours.group_hosts(name)) == {host.name for host in group.get_hosts()}
    assert list(ours.entries) == list(manager.hosts)
    for name, host in manager.hosts.items():
        found = variables.get_vars(host=host, include_hostvars=False, stage="all")
        expected = {key: value for key, value in found.items() if key not in ANSIBLES_OWN}
        assert json.dumps(
            {key: setting.value for key, setting in ours.settings(name).items()}, sort_keys=True
        ) == json.dumps(expected, sort_keys=True)


@GENEROUS
@given(folder=FOLDERS, patterns=st.lists(PATTERNS, min_size=6, max_size=6))
def test_limits_of_any_inventory_agree(folder: Any, patterns: list[str], tmp_path: Path) -> None:
    path = written(tmp_path, folder)
    manager, _ = theirs(path)
    ours = load_inventory(path)
    orderly = is_orderly(ours)
    for pattern in patterns:
        if not orderly and "[" in pattern.replace("[ab]", "").replace("[12]", ""):
            continue
        mine, expected = outcome(ours, pattern), ansible_outcome(manager, pattern)
        if not orderly:
            assert (mine and sorted(mine)) == (expected and sorted(expected)), pattern
        else:
            assert mine == expected, pattern


def outcome(inventory: Inventory, pattern: str) -> Sequence[str] | None:
    """The hosts that a limit leaves; None where it is refused."""
    try:
        selection: Selection = select(inventory, pattern)
    except UsageError:
        return None
    return list(selection.hosts)


def ansible_outcome(manager: InventoryManager, pattern: str) -> Sequence[str] | None:
    try:
        manager.subset(pattern)
        return [host.name for host in manager.get_hosts("all")]
    except AnsibleError:
        return None


def is_orderly(inventory: Inventory) -> bool:
    """Whether Ansible's order of hosts is determined: it walks the groups of a level as a Python set."""
    for name in inventory.groups:
        level = list(inventory.groups[name].children)
        while level:
            below = [inventory.groups[child].children for child in dict.fromkeys(level)]
            if sum(map(bool, below)) > 1:
                return False
            level = [child for children in below for child in children]
    return True
