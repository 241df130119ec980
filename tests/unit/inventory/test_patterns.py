from __future__ import annotations

import os
from pathlib import Path

import pytest

from venue_access.errors import UsageError
from venue_access.inventory.groups import Group, Host, Inventory
from venue_access.inventory.patterns import Selection, limit, select

HOSTS = ("unity-dev", "unity-test", "unity-prod", "sounder-dev")


def inventory() -> Inventory:
    groups = {
        "all": Group("all", children=dict.fromkeys(("ungrouped", "unity", "sounder"))),
        "ungrouped": Group("ungrouped"),
        "unity": Group("unity", hosts=dict.fromkeys(HOSTS[:3])),
        "sounder": Group("sounder", hosts=dict.fromkeys(HOSTS[3:])),
        "empty": Group("empty"),
    }
    return Inventory(Path("hosts.yml"), groups, {name: Host(name) for name in HOSTS})


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("unity-dev", "unity-dev"),
        ("unity", "unity-dev unity-test unity-prod"),
        ("all", "unity-dev unity-test unity-prod sounder-dev"),
        ("*-dev", "unity-dev sounder-dev"),
        ("unity-[dt]e*", "unity-dev unity-test"),
        ("sounder,unity-dev", "unity-dev sounder-dev"),
        ("sounder:unity-dev", "unity-dev sounder-dev"),
        ("unity[0]", "unity-dev"),
        ("unity[-1]", "unity-prod"),
        ("unity[1:2]", "unity-test unity-prod"),
        ("unity[1:]", "unity-test unity-prod"),
        ("unity:!*-prod", "unity-dev unity-test"),
        ("!unity-prod,&*-prod,unity", ""),
        ("&*-dev:unity", "unity-dev"),
        ("!unity", "sounder-dev"),
        ("~.*-(dev|test)$", "unity-dev unity-test sounder-dev"),
        ("~.*-\\w{3}$,", "unity-dev sounder-dev"),
        (" unity-dev , sounder ", "unity-dev sounder-dev"),
        ("empty", ""),
    ],
)
def test_pattern_selects_as_ansible_does(pattern: str, hosts: str) -> None:
    assert select(inventory(), pattern) == Selection(tuple(hosts.split()))


def test_several_patterns_are_taken_together() -> None:
    assert select(inventory(), ["unity", "!unity-dev"]).hosts == ("unity-test", "unity-prod")


def test_unmatched_pieces_are_reported() -> None:
    assert select(inventory(), "unity-dev,nobody,!none") == Selection(("unity-dev",), ("nobody", "none"))


def test_limit_file_has_one_pattern_per_line(tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("unity\n\n  !unity-dev \n")
    assert select(inventory(), f"@{tmp_path}/limit").hosts == ("unity-test", "unity-prod")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("~(", "the limit '~(' is not a regular expression"),
        ("unity[7]", "the limit 'unity[7]' is out of range: 'unity' has 3 hosts"),
        ("@nowhere", "the limit file 'nowhere' cannot be read: no such file or directory"),
        ("unity,!", "the limit has a '!' with no name after it"),
        ("~[", "the limit '~[' has an unbalanced '['"),
        ("unity-dev]", "the limit 'unity-dev]' has an unbalanced ']'"),
        ("unity:![", "the limit 'unity:![' has an unbalanced '['"),
        ("~[,", "the limit '~[' is not a regular expression: unterminated character set"),
        ("~", "the limit has a '~' with no regular expression after it"),
        ("unity:&~", "the limit has a '~' with no regular expression after it"),
        ("~(?:a|b)", "the limit '~(?' is not a regular expression"),
        ("~" + "(" * 600 + ")" * 600, "the limit has a piece of 1201 characters: '~((((("),
        (",".join(f"a{number}*" for number in range(1001)), "the limit has more than 1000 wildcards"),
        ("@/dev/zero", "the limit file '/dev/zero' cannot be read: it is not a regular file"),
        ("@/dev", "the limit file '/dev' cannot be read: it is not a regular file"),
        (f"unity[{'9' * 900}]", "the limit 'unity[99"),
    ],
)
def test_invalid_pattern_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(inventory(), pattern)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("pattern", ["~(.+)+X$", "unity,!~(.+)+X$"])
def test_backtracking_expression_times_out(pattern: str) -> None:
    long = "x" * 200
    hosts = {name: Host(name) for name in (*HOSTS, long)}
    known = Inventory(Path("hosts.yml"), {**inventory().groups, "all": Group("all", hosts=dict.fromkeys(hosts))}, hosts)
    with pytest.raises(UsageError, match=r"takes too long: more than 2 s"):
        select(known, pattern + ",")


def test_several_expressions_are_tried_with_the_rest() -> None:
    assert select(inventory(), "~unity,!~.*t$,sounder-d?v").hosts == ("unity-dev", "unity-prod", "sounder-dev")


def test_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is not a regular file"):
        select(inventory(), f"@{tmp_path}/pipe")


@pytest.mark.parametrize(("content", "why"), [(b"\xff", "it is not text"), (b"#" * 5_000_000, "larger than 4 mib")])
def test_invalid_limit_file_is_an_error(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "limit").write_bytes(content)
    with pytest.raises(UsageError, match=why):
        select(inventory(), f"@{tmp_path}/limit")


@pytest.mark.parametrize("name", ["with space", "a:b", "a,b", "[x]", "it's", "!&"])
def test_limit_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "failed").write_text("unity-dev\n")
    assert select(inventory(), f"@{tmp_path / name / 'failed'}").hosts == ("unity-dev",)


def test_limit_file_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my limit").write_text("unity-dev\n")
    assert select(inventory(), "@~/my limit").hosts == ("unity-dev",)


def test_empty_selection_is_refused_with_nearest_and_all() -> None:
    with pytest.raises(UsageError) as caught:
        limit(inventory(), "unity-dve")
    assert str(caught.value) == (
        "the limit 'unity-dve' leaves no venue; did you mean 'unity-dev'?\n"
        "  hosts: unity-dev, unity-test, unity-prod, sounder-dev; groups: all, ungrouped, unity, sounder, empty"
    )


@pytest.mark.parametrize("pattern", ["", " , ", []])
def test_empty_limit_is_an_error(pattern: str | list[str]) -> None:
    with pytest.raises(UsageError, match="the limit is empty"):
        limit(inventory(), pattern)
