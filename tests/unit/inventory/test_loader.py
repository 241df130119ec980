from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from venue_access.errors import InventoryError
from venue_access.inventory.documents import parse
from venue_access.inventory.exports import to_list
from venue_access.inventory.groups import Inventory, SourcedValue, UnsafeText, Vaulted
from venue_access.inventory.loader import load_inventory


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def variables_of(inventory: Inventory, host: str) -> dict[str, Any]:
    return {name: setting.value for name, setting in inventory.settings(host).items()}


def refused(folder: Path, hosts: str) -> str:
    with pytest.raises(InventoryError) as caught:
        load_inventory(written(folder, {"hosts.yml": hosts}))
    return str(caught.value)


def test_group_vars_all_beats_the_inline_variables_of_a_group_and_a_host_beats_both(tmp_path: Path) -> None:
    inventory = load_inventory(
        written(
            tmp_path,
            {
                "hosts.yml": "all: {children: {g: {vars: {a: inline, b: inline, c: inline}, hosts: {h: {c: host}}}}}",
                "group_vars/all.yml": "a: all\nb: all\nc: all",
                "group_vars/g.yml": "b: g\nc: g",
            },
        )
    )
    assert variables_of(inventory, "h") == {"a": "all", "b": "g", "c": "host"}


def test_stronger_mapping_replaces_weaker_one(tmp_path: Path) -> None:
    hosts = "all: {vars: {m: {a: 1}}, hosts: {h: {m: {b: 2}}}}"
    assert variables_of(load_inventory(written(tmp_path, {"hosts.yml": hosts})), "h") == {"m": {"b": 2}}


def test_variables_have_their_file(tmp_path: Path) -> None:
    files = {
        "hosts.yml": "all:\n  hosts:\n    h: {a: 1}\n",
        "group_vars/all/x.yml": "# a comment\nb: 1",
        "host_vars/h.json": '{\n  "d": {"e": "}"},\n  "c": 1\n}',
    }
    settings = load_inventory(written(tmp_path, files)).settings("h")
    assert settings["a"] == SourcedValue(1, tmp_path / "hosts.yml", 3)
    assert settings["b"] == SourcedValue(1, tmp_path / "group_vars/all/x.yml", 2)
    assert settings["c"] == SourcedValue(1, tmp_path / "host_vars/h.json", 3)


def test_unused_variable_files_are_reported(tmp_path: Path) -> None:
    files = {
        "hosts.yml": "all: {hosts: {h: }}",
        "group_vars/al.yml": "b: 1",
        "host_vars/h": "",
        "host_vars/i/x.yml": "",
    }
    assert [str(each) for each in load_inventory(written(tmp_path, files)).warnings] == [
        f"{tmp_path}/group_vars/al.yml: names no group or host of the inventory; did you mean 'all'?",
        f"{tmp_path}/host_vars/i: names no group or host of the inventory",
    ]


def test_missing_inventory_is_named(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="no such file or folder"):
        load_inventory(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}", "null"])
def test_empty_inventory_error_says_what_is_expected(text: str, tmp_path: Path) -> None:
    assert "is empty; expected groups, such as 'all:'" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        ("- a\n- b", "expected a mapping of groups such as 'all:', found a list"),
        ("plugin: aws_ec2", "configures an inventory plugin"),
        ("all: {hots: {a: }}", "all: a group has 'hosts:', 'children:' and 'vars:', not 'hots'; did you mean 'hosts'?"),
        ("all: {hosts: [a, b]}", "all.hosts: expected a mapping, each name followed by a colon, found a list"),
        ("all: [a]", "all: a group is a mapping with"),
        ("all: {hosts: {a: text}}", "all.hosts.a: the variables of a host are a mapping, found a string"),
        ("all: {hosts: {2024: }}", "the name of a host must be a string, found a number 2024; put it in quotes"),
        ("yes: {hosts: {a: }}", "the name of a group must be a string, found a boolean True"),
        ("all: {hosts: {'../up': }}", "'../up' cannot name a host"),
        ('all: {hosts: {"a\\0b": }}', "cannot name a host"),
        ("all: {vars: {1: one}}", "all.vars: the name of a variable must be a string, found a number 1"),
        ("all: {hosts: {'web[3:1]': }}", "the range [3:1] is empty"),
        ("all: {hosts: {'web[01:100]': }}", "must be of equal length"),
        ("all: {hosts: {'web[1-3]': }}", "must be [begin:end] or [begin:end:step]"),
        ("all: {hosts: {'web[1:3:0]': }}", "the step of the range [1:3:0] is 0"),
        ("all: {hosts: {'web[1:3': }}", "a bracket of a range is not closed"),
        ("all: {hosts: {'web[1:999999999]': }}", "more than 10000 hosts"),
        ("all: {hosts: {'[1:999][1:999]': }}", "has 998001 hosts"),
        ("all: {hosts: {'web:22': }}", "give a port as the variable ansible_port"),
        ("a: {children: {b: {children: {a: }}}}", "the group 'b' cannot be a child of 'a'"),
        ("a: {children: {all: }}", "the group 'all' cannot be a child of 'a'"),
        ("web: {hosts: {web: }}", "'web' is both a host and a group"),
        (
            "a: {vars: {ansible_group_priority: high}}",
            "a.ansible_group_priority: expected a whole number, found 'high'",
        ),
        ("all: {hosts: {a: }, hosts: {b: }}", "hosts.yml:1: duplicate key 'hosts'"),
        ('{"all": {"hosts": {"a": null}, "hosts": {"b": null}}}', "hosts.yml:1: duplicate key 'hosts'"),
        ("all: {hosts: {a: {x: !!bool maybe}}}", "it is not valid YAML"),
        ("all: {hosts: {a: {x: 2024-99-99}}}", "it is not valid YAML: month must be in 1..12"),
        ("all: {hosts: {a: {x: !custom y}}}", "could not determine a constructor for the tag '!custom'"),
        ("all: [", "did not find expected node content"),
        ("all:\n  hosts:\n\tx:", "hosts.yml:3: the line is indented with a tab; YAML takes only spaces"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162", "vaulted files are not decrypted here"),
        ("all: {hosts: {a: {x: !vault [1]}}}", "the tag !vault requires a string"),
    ],
)
def test_invalid_for_ansible_is_an_error(hosts: str, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, hosts)


def test_problems_of_all_files_are_reported_together(tmp_path: Path) -> None:
    written(tmp_path, {"group_vars/all.yml": "a: [", "host_vars/a.yml": "- 1", "other.ini": "[x]"})
    text = refused(tmp_path, "all: {hots: , hosts: {a: }}")
    for expected in (
        "the inventory has 4 problems",
        "hots",
        "group_vars/all.yml:",
        "found a list",
        "only YAML",
    ):
        assert expected in text


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "- " * 100_000,
        "{a: " * 30_000,
        "[" * 60 + "]" * 60,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        "".join(" " * depth + "a:\n" for depth in range(2_000)),
        "a: &a [*a]",
        "a: &a {<<: *a}",
    ],
    ids=["brackets", "dashes", "braces", "brackets, few", "JSON", "indentation", "itself", "merged into itself"],
)
def test_too_deep_document_is_refused(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="nested too deep, or within itself"):
        parse(text)
    assert time.monotonic() - began < 5


def bomb(line: str) -> str:
    names = [chr(code) for code in range(ord("a"), ord("z"))]
    lines = [line.format(one=one, two=two) for one, two in zip(names[1:], names, strict=False)]
    return "\n".join(["a: &a {x: 1}", *lines])


@pytest.mark.parametrize(
    "line", ["{one}: &{one} [*{two}, *{two}, *{two}]", "{one}: &{one} {{<<: [*{two}, *{two}, *{two}]}}"]
)
def test_multiplying_aliases_are_refused(line: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="multiply it"):
        parse(bomb(line))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"all: {hosts: {\xff: }}", "it is not UTF-8 text (byte 14)"),
        ("all:".encode("utf-16"), "it is not UTF-8 text (byte 0)"),
        (b"all: {hosts: {a\0: }}", "it has a character that YAML does not allow"),
        (b"#" * (8 * 1024 * 1024 + 1), "it is larger than 8 MiB"),
    ],
)
def test_undecodable_bytes_are_an_error(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_bytes(content)
    with pytest.raises(InventoryError) as caught:
        load_inventory(tmp_path)
    assert message in str(caught.value)


def test_byte_order_mark_is_ignored() -> None:
    assert parse("\ufeffa: 1".encode().decode("utf-8-sig")) == {"a": 1}


def test_override_of_a_merged_key_is_not_a_duplicate() -> None:
    document = parse("base: &b {x: 1, y: 1}\nown: &o {<<: *b, x: 2}\nagain: {<<: *o, x: 3}")
    assert document["own"] == {"x": 2, "y": 1}
    assert document["again"] == {"x": 3, "y": 1}


def test_unsafe_and_vaulted_texts_are_distinguished() -> None:
    document = parse("u: !unsafe '{{ x }}'\nn: !unsafe 5\nv: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\n")
    assert isinstance(document["u"], UnsafeText)
    assert document["n"] == 5
    assert document["v"] == Vaulted("$ANSIBLE_VAULT;1.1;AES256\n61\n")


def test_json_is_read_as_json_and_not_as_yaml() -> None:
    assert parse('{"a": 1e3}') == {"a": 1000.0}
    assert parse("{a: 1e3}") == {"a": "1e3"}


def test_list_is_valid_json(tmp_path: Path) -> None:
    hosts = "all: {hosts: {h: {d: 2024-01-02, s: !!set {x: }, k: {1: one}, v: !vault abc, u: !unsafe t}}}"
    variables = to_list(load_inventory(written(tmp_path, {"hosts.yml": hosts})))["_meta"]["hostvars"]["h"]
    assert json.loads(json.dumps(variables)) == {
        "d": "2024-01-02",
        "s": ["x"],
        "k": {"1": "one"},
        "v": {"__ansible_vault": "abc"},
        "u": {"__ansible_unsafe": "t"},
    }


@pytest.mark.parametrize("value", ["!!binary aGVsbG8=", "[{a: !!binary aGVsbG8=}]", "{2026-11-20: 1}"])
def test_value_without_json_form_is_named(value: str, tmp_path: Path) -> None:
    inventory = load_inventory(written(tmp_path, {"hosts.yml": f"all: {{hosts: {{a-1: {{v: {value}}}}}}}"}))
    with pytest.raises(InventoryError, match=r"hosts\.yml:1: a-1: v: has binary data, or a key that is not a string"):
        to_list(inventory)
