"""The tables of the module's README say what its variables and outputs are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from venue_access.config import assets

MODULE = assets("terraform") / "modules" / "venue_access"
BLOCK = r'^{kind} "(\w+)" {{\n(.*?)^}}'


def blocks(file: str, kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The blocks of a kind and their one-line arguments as they are written."""
    text = (MODULE / file).read_text(encoding="utf-8")
    for name, body in re.findall(BLOCK.format(kind=kind), text, re.DOTALL | re.MULTILINE):
        yield name, dict(re.findall(r"^  (\w+) += (.*)$", body, re.MULTILINE))


def table(heading: str) -> list[list[str]]:
    section = (MODULE / "README.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.strip().splitlines()[2:]]
    return [[re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in row] for row in rows]


def test_readme_lists_every_input() -> None:
    assert table("Inputs") == [
        [
            name,
            variable["description"].strip('"'),
            variable["type"],
            variable.get("default", "n/a"),
            "no" if "default" in variable else "yes",
        ]
        for name, variable in sorted(blocks("variables.tf", "variable"))
    ]


def test_readme_lists_every_output() -> None:
    assert table("Outputs") == [
        [name, output["description"].strip('"')] for name, output in sorted(blocks("outputs.tf", "output"))
    ]


def test_variables_and_outputs_are_described() -> None:
    variables = dict(blocks("variables.tf", "variable"))
    assert variables
    assert all({"type", "description"} <= set(variable) for variable in variables.values())
    assert all("description" in output for _, output in blocks("outputs.tf", "output"))
