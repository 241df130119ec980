"""Inventories that are broken or meant to do harm, each written below a folder of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile_content import CANARY, DOCUMENTS, NAMES, VALUES
from venue_access.inventory.schema import VARIABLES

__all__ = ["CANARY"]

CHECKOUT = Path(__file__).resolve().parents[1]

Write = Callable[[Path], None]
"""Writes an inventory into a folder that is there and empty; beside it stands the file ``outside``."""

VENUE: dict[str, Any] = {
    "project": "unity",
    "account_id": "111122223333",
    "region": "us-west-2",
    "emulator": True,
    "s3_buckets": ["unity-dev-data"],
}


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


def as_json(hosts: dict[str, Any]) -> str:
    """JSON is YAML; it can say every text, also those that are no characters."""
    return json.dumps({"all": {"hosts": hosts}})


def of_values() -> Iterator[tuple[str, Write]]:
    """Each hostile value for each variable, and where one may stand."""
    for variable in VARIABLES:
        for number, value in enumerate(VALUES):
            given = {key: each for key, each in VENUE.items() if key != variable}
            text, places = json.dumps({variable: value}), ("group_vars/all.json", "host_vars/unity-dev/x.yml")
            if number % 3 == 0:
                yield f"{variable} {number}", _files({"hosts.yml": as_json({"unity-dev": {**given, variable: value}})})
            else:
                files = {"hosts.yml": as_json({"unity-dev": given}), places[number % 2]: text}
                yield f"{variable} {number}", _files(files)


def of_documents(*, large_ones_everywhere: bool = True) -> Iterator[tuple[str, Write]]:
    """Each hostile document as each file of an inventory; a large one in ``hosts.yml`` alone, where that is enough."""
    good = as_json({"unity-dev": VENUE})
    for name, content in DOCUMENTS.items():
        yield f"{name}, hosts", _files({"hosts.yml": content})
        if len(content) > 100_000 and not large_ones_everywhere:
            continue
        yield f"{name}, group", _files({"hosts.yml": good, "group_vars/all.yml": content})
        yield f"{name}, host", _files({"hosts.yml": good, "host_vars/unity-dev/00": content})


def of_names() -> Iterator[tuple[str, Write]]:
    """Each hostile name as that of a host, of a group, of a variable and of what an inventory names."""
    for number, name in enumerate(NAMES):
        yield f"host {number}", _files({"hosts.yml": as_json({name: VENUE})})
        group = json.dumps({name: {"hosts": {"unity-dev": VENUE}, "children": {name: None}}})
        yield f"group {number}", _files({"hosts.yml": group})
        for place in ("project", "venue", "stack", "role_prefix"):
            yield f"{place} {number}", _files({"hosts.yml": as_json({f"{name}-dev": {**VENUE, place: name}})})
        for own in ({"users": {name: {name: name}}}, {"tags": {name: name}}, {"state": {name: name}}, {name: name}):
            yield f"{next(iter(own))} {number}", _files({"hosts.yml": as_json({"unity-dev": {**VENUE, **own}})})


def of_files() -> Iterator[tuple[str, Write]]:
    """What else may stand where a file or a folder is looked for."""
    targets = {
        "passwd": "/etc/passwd",
        "outside": "../outside",
        "itself": "hosts.yml",
        "the folder": ".",
        "the folder above": "..",
        "zeroes": "/dev/zero",
        "a terminal": "/dev/tty",
        "standard input": "/dev/stdin",
        "nothing": "nowhere",
        "memory": "/proc/self/mem",
        "the kernel": "/proc/kmsg",
        "the environment": "/proc/self/environ",
        "a long name": "x" * 300,
    }
    for name, target in targets.items():
        yield f"a link to {name}", _linked("hosts.yml", target)
        yield f"a link to {name} in group_vars", _linked("group_vars/all.yml", target, beside=True)
        yield f"a link to {name} as host_vars", _linked("host_vars", target, beside=True)
    good = as_json({"unity-dev": VENUE})
    for place in ("hosts.yml", "group_vars/all.yml", "host_vars/unity-dev.yml", "host_vars", "group_vars"):
        yield f"a pipe as {place}", _made(place, os.mkfifo)
        yield f"a folder as {place}", _made(place, os.mkdir)
    yield "links to the folder itself", _links_to_itself
    yield "links to the folder itself in group_vars", _links_to_itself_in_group_vars
    yield "folders that multiply", _multiplied
    yield "many files", _files({"hosts.yml": good, **{f"host_vars/x{number}": "" for number in range(2_000)}})
    yield "many broken files", _files({f"{number}.yml": "[" for number in range(2_000)})
    yield "many foreign files", _files({f"{number}.ini": "[" for number in range(2_000)})
    yield "a file name that is no text", _no_text
    yield "an escape sequence as a file name", _files({"hosts.yml": good, "group_vars/\x1b[2J.yml": "x: 1"})
    yield "nothing", lambda folder: None


def mutations(count: int, seed: int) -> Iterator[tuple[str, Write]]:
    """The inventories of the checkout with some bytes changed, by chance but the same each time."""
    chance = random.Random(seed)
    pieces = [b"\0", b"\xff", b"\t", b"\n", b"  ", b":", b"- ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"<<: ", b"!!",
              b"? ", b"| ", b"> ", b"'", b'"', b"#", b"%", b"@", b"`", b"~", b"---\n", b"...", b"9" * 30, b"../",
              b"${x}", b"{{ x }}", b"\xe2\x80\xae", b"\xed\xa0\x80", b"[0:9]", b"!vault ", b"!unsafe "]  # fmt: skip
    for number in range(count):
        yield f"mutation {seed}.{number}", _mutated(chance.choice(["local", "example"]), chance.getrandbits(32), pieces)


def _mutated(inventory: str, seed: int, pieces: list[bytes]) -> Write:
    def write_it(folder: Path) -> None:
        chance = random.Random(seed)
        shutil.copytree(CHECKOUT / "inventory" / inventory, folder, dirs_exist_ok=True)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for _ in range(chance.randint(1, 6)):
            file = chance.choice(files)
            content = file.read_bytes()
            start = chance.randrange(len(content) + 1)
            kept = content[start + chance.choice([0, 0, 1, 3, 20]) :]
            more = chance.choice([*pieces, content[start : start + 40] * chance.choice([1, 2])])
            file.write_bytes(content[:start] + more + kept)

    return write_it


def _files(files: dict[str, str | bytes] | dict[str, str]) -> Write:
    return lambda folder: write(folder, dict(files))


def _linked(name: str, target: str, *, beside: bool = False) -> Write:
    def write_it(folder: Path) -> None:
        if beside:
            write(folder, {"hosts.yml": as_json({"unity-dev": VENUE})})
        (folder / name).parent.mkdir(exist_ok=True)
        os.symlink(target, folder / name)

    return write_it


def _made(name: str, make: Callable[[Path], Any]) -> Write:
    def write_it(folder: Path) -> None:
        if name != "hosts.yml":
            write(folder, {"hosts.yml": as_json({"unity-dev": VENUE})})
        (folder / name).parent.mkdir(exist_ok=True)
        make(folder / name)

    return write_it


def _links_to_itself(folder: Path) -> None:
    for name in "abc":
        os.symlink(".", folder / name)


def _links_to_itself_in_group_vars(folder: Path) -> None:
    write(folder, {"hosts.yml": as_json({"unity-dev": VENUE}), "group_vars/all/x.yml": "a: 1"})
    for name in "abc":
        os.symlink(".", folder / "group_vars/all" / name)


def _multiplied(folder: Path) -> None:
    """Folders with two links each to the next: as many ways as files on a large disk."""
    for number in range(25):
        (folder / f".{number}").mkdir()
        for name in "ab":
            os.symlink(f"../.{number + 1}", folder / f".{number}" / name)
    write(folder, {".25/x.yml": "all: {}"})
    os.symlink(".0", folder / "begin")


def _no_text(folder: Path) -> None:
    write(folder, {"hosts.yml": as_json({"unity-dev": VENUE})})
    (folder / "group_vars").mkdir()
    for name in (b"group_vars/\xff.yml", b"group_vars/a\nb", b"\xff.yml"):
        with open(os.fsencode(folder) + b"/" + name, "wb"):
            pass


def everything() -> dict[str, Write]:
    """All but the mutations, by name."""
    return dict([*of_values(), *of_documents(), *of_names(), *of_files()])
