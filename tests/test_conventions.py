"""The coding conventions (CONTRIBUTING.md), each checked by a test that reads the sources."""

from __future__ import annotations

import ast
import operator
import re
from pathlib import Path

import pytest

import tasks
from scripts.docs import arguments_of
from tests.sources import CHECKOUT, COMMANDS, Module, each_module, files
from venue_access.sensitive import REDACTED, ExternalId, Secret, SensitiveStr

# -- sensitive values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SensitiveStr, ExternalId, Secret])
def test_sensitive_values_are_redacted(kind: type[SensitiveStr]) -> None:
    value = kind("hunter2hunter2")
    shown = [str(value), repr(value), f"{value}", f"{value!r:>20}", str([value, {1: value}])]
    shown.append(operator.mod("%s %r", (value, value)))
    assert all(REDACTED in text and "hunter2" not in text for text in shown)


CONFIDENTIAL = re.compile(r"(secret|token|password|external_ids?|mfa_code)|\w+_(secret|token|external_id)", re.ASCII)


@each_module(but=COMMANDS)
def test_sensitive_names_have_sensitive_types(module: Module) -> None:
    for node in ast.walk(module.tree):
        name, annotation = None, None
        if isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, node.annotation
        if name and annotation and CONFIDENTIAL.fullmatch(name):
            kind = ast.unparse(annotation)
            assert re.search("Sensitive|ExternalId|Secret", kind) or "str" not in kind, (
                f"{module.name}: {name} is a text"
            )


# -- prose and size ------------------------------------------------------------------------------------------------

NAMED_AFTER_THE_VALUE = ("inventory.validators",)
"""Each function there checks the value that it is named after."""


@each_module()
def test_public_names_have_docstrings(module: Module) -> None:
    assert ast.get_docstring(module.tree), module.name
    for node in module.tree.body:
        public = isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
        if public and module.name not in NAMED_AFTER_THE_VALUE:
            assert isinstance(node, (ast.ClassDef, ast.FunctionDef))
            assert ast.get_docstring(node), f"{module.name}.{node.name}"


@pytest.mark.parametrize("name", sorted(tasks.namespace.task_names))
def test_commands_and_flags_have_help(name: str) -> None:
    assert tasks.namespace[name].body.__doc__, "no docstring"
    for argument in arguments_of(name):
        assert argument.help, f"--{argument.name} has no help"
        assert all(len(each) > 1 for each in argument.names), f"--{argument.name} has a short form"


LONGEST = 300


def test_no_module_exceeds_300_lines() -> None:
    modules = [*(CHECKOUT / "venue_access").rglob("*.py"), *(CHECKOUT / "scripts").glob("*.py")]
    lengths = {str(file.relative_to(CHECKOUT)): len(file.read_text("utf-8").splitlines()) for file in modules}
    assert {name for name, lines in lengths.items() if lines > LONGEST} == set()


PLACES = re.compile(
    r"(?<![\w.$}~>-])/(home|root|Users|work|mnt|opt)/\w"  # a path of one machine
    r"|--(extra-)?index-url|(?<!no-emit-)index[-_]url\s*="  # where packages come from is each user's choice
    r"|https?://\S*(artifactory|nexus|/simple\b)",
    re.IGNORECASE,
)
TEXTS = (".py", ".md", ".toml", ".txt", ".in", ".yml", ".yaml", ".tf", ".hcl", ".j2", ".json", ".cfg", ".sh")


def test_no_file_names_a_machine_or_an_index() -> None:
    own = Path(__file__).resolve()
    scripts = [file for folder in ("scripts", ".ci") for file in (CHECKOUT / folder).iterdir() if file.is_file()]
    for file in {*files(*TEXTS), *scripts} - {own}:
        found = PLACES.search(file.read_text(encoding="utf-8", errors="replace"))
        assert not found, f"{file.relative_to(CHECKOUT)}: {found[0]}" if found else ""
