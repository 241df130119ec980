"""The modules of the package, parsed, for the tests that check the rules of CONTRIBUTING.md and architecture.md."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Module:
    """A module of the package, by its name below ``venue_access``."""

    name: str
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """Yield the modules that it imports, at any level."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: a relative import"
                yield from self._imported_from(node)

    def calls(self) -> Iterator[tuple[str, str]]:
        """Yield each call with the function it is in: ``("time.sleep", "locked")``."""
        yield from _calls(self.tree, "")

    def _imported_from(self, node: ast.ImportFrom) -> Iterator[str]:
        module = node.module or ""
        folder = CHECKOUT / module.replace(".", "/")
        for alias in node.names:  # the name may be a module of one of our packages
            is_module = (folder / alias.name).is_dir() or (folder / f"{alias.name}.py").exists()
            yield f"{module}.{alias.name}" if is_module else module


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield ast.unparse(child.func), function
        inner = child.name if isinstance(child, ast.FunctionDef) else function
        yield from _calls(child, inner)


def package() -> list[Module]:
    """Return every module of the package that is not empty."""
    folder = CHECKOUT / "venue_access"
    modules = []
    for file in sorted(folder.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        parts = file.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] != "__init__" or any(isinstance(node, (ast.ClassDef, ast.FunctionDef)) for node in tree.body):
            modules.append(Module(name, tree))
    return modules


PACKAGE = package()
COMMANDS = tuple(module.name for module in PACKAGE if module.name.startswith("cli"))
"""The commands: only they know Invoke, read the clock and parse flags."""


def each_module(*, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Parametrize a test with every module, except some."""
    chosen = [module for module in PACKAGE if module.name not in but]
    return pytest.mark.parametrize("module", chosen, ids=[module.name for module in chosen])


def files(*endings: str) -> Iterator[Path]:
    """Yield the files of the checkout that no tool generates."""
    generated = {".git", ".venv", ".venue-access", ".terraform", "__pycache__", "build", "dist"}
    for folder, folders, names in os.walk(CHECKOUT):
        folders[:] = [name for name in folders if name not in generated and not name.endswith(("_cache", ".egg-info"))]
        folders[:] = [name for name in folders if name != ".hypothesis"]
        yield from (Path(folder, name) for name in names if name.endswith(endings or ("",)))
