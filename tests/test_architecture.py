"""The rules of the house (CONTRIBUTING.md, docs/architecture.md), each held by a test that reads the sources."""

from __future__ import annotations

import ast
import operator
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tasks
from scripts.docs import arguments_of
from venue_access.sensitive import REDACTED, ExternalId, Secret, SensitiveStr

CHECKOUT = Path(__file__).resolve().parents[1]

LAYERS = (
    ("base", ("errors", "console", "sensitive", "files", "jsonl", "config", "hardening", "deadline", "durations")),
    ("inventory", ("inventory",)),
    ("AWS", ("aws", "emulator", "policies")),
    ("ledger", ("ledger",)),
    ("provisioning and tokens", ("provisioning", "tokens")),
    ("audit", ("audit",)),
    ("application context", ("app",)),
    ("accounts", ("accounts",)),
    ("doctor", ("doctor",)),
    ("commands", ("cli",)),
)
"""From the bottom up: a module imports from its own layer and from those before it."""

ADAPTERS = {
    "boto3": ("aws.client",),
    "botocore": ("aws.client", "aws.faults", "aws.role_session"),
    "cryptography": (
        "emulator.certificate",
        "tokens.encryption.smime",
    ),  # one makes a certificate of ours, the other reads others'
    "keyring": ("accounts.system_keyring",),
    "jinja2": ("provisioning.render",),
    "pyrage": ("tokens.encryption.age",),
    "python_terraform": ("provisioning.terraform",),
    "yaml": ("inventory.documents",),
}
"""Each package from outside, and the one module that imports it (cryptography's two uses have nothing in common)."""


@dataclass(frozen=True)
class Module:
    """A module of the package, by its name below ``venue_access``."""

    name: str
    tree: ast.Module

    @property
    def layer(self) -> int:
        layers = [number for number, (_, members) in enumerate(LAYERS) if self.name.split(".")[0] in members]
        assert layers, f"{self.name} is in no layer; add it to LAYERS"
        return layers[0]

    def imports(self) -> Iterator[str]:
        """The modules it imports, anywhere in it."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: a relative import"
                yield from self._imported_from(node)

    def calls(self) -> Iterator[tuple[str, str]]:
        """What it calls by which name, and in which function: ``("time.sleep", "locked")``."""
        yield from _calls(self.tree, "")

    def _imported_from(self, node: ast.ImportFrom) -> Iterator[str]:
        module = node.module or ""
        folder = CHECKOUT / module.replace(".", "/")
        for alias in node.names:  # of a package of ours it may be a module that is imported
            is_module = (folder / alias.name).is_dir() or (folder / f"{alias.name}.py").exists()
            yield f"{module}.{alias.name}" if is_module else module


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield ast.unparse(child.func), function
        inner = child.name if isinstance(child, ast.FunctionDef) else function
        yield from _calls(child, inner)


def package() -> list[Module]:
    """Every module of the package that has something in it."""
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
"""The outermost edge: only here Invoke is known, the clock is read, a flag's text is not yet what it stands for."""


def each_module(*, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    chosen = [module for module in PACKAGE if module.name not in but]
    return pytest.mark.parametrize("module", chosen, ids=[module.name for module in chosen])


def files(*endings: str) -> Iterator[Path]:
    """The files of the checkout that are not made by tools."""
    made = {".git", ".venv", ".venue-access", ".terraform", "__pycache__", "build", "dist"}
    for folder, folders, names in os.walk(CHECKOUT):
        folders[:] = [name for name in folders if name not in made and not name.endswith(("_cache", ".egg-info"))]
        folders[:] = [name for name in folders if name != ".hypothesis"]
        yield from (Path(folder, name) for name in names if name.endswith(endings or ("",)))


# -- layers and doors -------------------------------------------------------------------------------------------------


@each_module()
def test_imports_point_one_way(module: Module) -> None:
    modules = {other.name: other for other in PACKAGE}
    for imported in module.imports():
        if imported.startswith("venue_access."):
            other = modules[imported.removeprefix("venue_access.")]
            assert other.layer <= module.layer, f"{module.name} imports {other.name}, which is in a layer above it"


@each_module()
def test_provisioning_and_tokens_do_not_know_each_other(module: Module) -> None:
    strangers = {"provisioning": "tokens", "tokens": "provisioning"}
    stranger = strangers.get(module.name.split(".")[0], "nobody")
    assert not [each for each in module.imports() if each.startswith(f"venue_access.{stranger}")]


@each_module()
def test_a_package_from_outside_is_imported_in_one_module(module: Module) -> None:
    for imported in module.imports():
        outside = imported.split(".")[0]
        if outside != "venue_access" and outside not in sys.stdlib_module_names:
            adapters = COMMANDS if outside == "invoke" else ADAPTERS.get(outside, ())
            assert module.name in adapters, f"{module.name} imports {outside}"


def test_the_packages_own_modules_import_nothing_of_ours_before_they_are_asked() -> None:
    for file in (CHECKOUT / "venue_access").rglob("__init__.py"):
        at_once = ast.parse(file.read_text(encoding="utf-8"))
        at_once.body = [node for node in at_once.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        for imported in Module(str(file), at_once).imports():
            assert imported.split(".")[0] in sys.stdlib_module_names, f"{file} imports {imported}"


# -- deciding and acting ---------------------------------------------------------------------------------------------

PURE = (
    "doctor.check",
    "durations",
    "inventory.arn_validators",
    "inventory.validators",
    "inventory.cross_validation",
    "inventory.find",
    "inventory.model",
    "inventory.schema",
    "inventory.value_types",
    "inventory.recipients",
    "inventory.groups",
    "ledger.chain",
    "ledger.examine",
    "ledger.listing",
    "ledger.record",
    "policies.operator",
    "accounts.account",
    "accounts.shell",
    "provisioning.diagnostics",
    "provisioning.diff",
    "provisioning.dynamic",
    "provisioning.outcome",
    "policies.documents",
    "policies.compare",
    "provisioning.progress",
    "provisioning.stack",
    "tokens.console.credentials",
    "tokens.console.site",
    "policies.revocation",
    "tokens.durations",
    "policies.session",
    "policies.session_flags",
    "policies.session_file",
    "tokens.shells",
    "audit.report",
    "audit.statements",
    *(module.name for module in PACKAGE if module.name.startswith("tokens.formats")),
    "tokens.encryption.instructions",
    "tokens.encryption.bundle",
    "tokens.encryption.passphrase",
)


@pytest.mark.parametrize("name", PURE)
def test_what_decides_touches_nothing(name: str) -> None:
    (module,) = [module for module in PACKAGE if module.name == name]
    edges = {"os", "shutil", "socket", "subprocess", "sys", "tempfile", "threading", "time", "venue_access.files"}
    assert not edges & set(module.imports())
    assert not [call for call, _ in module.calls() if call.rpartition(".")[2] in ("read_text", "write_text", "open")]


@each_module(but=("console", "accounts.credentials", "hardening"))  # credentials is done before ui is imported
def test_only_ui_talks_to_the_person(module: Module) -> None:
    names = {ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, (ast.Attribute, ast.Name))}
    assert not names & {"print", "input", "getpass", "logging", "sys.stdin", "sys.stdout", "sys.stderr"}


PAYLOADS = {
    ("cli.account", "account_unset"),  # statements for a shell
    ("cli.account", "account_role_token"),  # a format
    ("cli.account", "set_keys"),  # statements for a shell
    ("cli.console_url", "show"),  # a URL, with whatever is not ASCII in it encoded
    ("cli.tokens", "external_id_send"),  # the path of a file: Place.of refuses what cannot be printed
    ("accounts.credential_process", "answer_anew"),  # JSON
    ("tokens.ledger_recording", "hand_over"),  # a format, or the path of a file
}
"""Where a program reads the result, byte for byte; everywhere else control characters are escaped."""


@each_module()
def test_what_people_read_has_its_control_characters_escaped(module: Module) -> None:
    found = {(module.name, function) for call, function in module.calls() if call == "ui.payload"}
    assert found <= PAYLOADS


ENDINGS = {("provisioning.terraform", "ask", "os._exit")}
"""In the child between fork and exec there is nobody to raise to."""


@each_module()
def test_nothing_ends_the_process(module: Module) -> None:
    endings = {"sys.exit", "os._exit", "os.abort", "exit", "quit", "SystemExit"}
    found = {(module.name, function, call) for call, function in module.calls() if call in endings}
    assert found <= ENDINGS


@each_module(but=("files", "jsonl"))
def test_only_files_writes_files(module: Module) -> None:
    """It makes them with mode 0600 and replaces them at one stroke."""
    calls = [call for call, _ in module.calls()]
    assert not [call for call in calls if call == "open" or call.endswith((".write_text", ".write_bytes", ".chmod"))]


AMBIENT = re.compile(
    r"time\.(sleep|time|monotonic)|datetime\.(datetime\.)?(now|utcnow|today)|date\.today|os\.urandom"
    r"|(secrets|random|uuid)\.\w+"
)
AMBIENT_ALLOWED = {
    ("files", "write_private"),  # a name that is gone a moment later
    ("emulator.server", "_wait"),  # for a process of its own, which is nowhere faked
    ("provisioning.rotation_state", "new_external_id"),  # to be unpredictable is all it is for
}


@each_module(but=COMMANDS)
def test_time_randomness_and_waiting_are_arguments(module: Module) -> None:
    for function in ast.walk(module.tree):
        if isinstance(function, ast.FunctionDef) and (module.name, function.name) not in AMBIENT_ALLOWED:
            found = [call for call in _ambient(function) if AMBIENT.fullmatch(call)]
            assert not found, f"{module.name}.{function.name} calls {found[0]}; take it as an argument"


def _ambient(function: ast.FunctionDef) -> Iterator[str]:
    """The calls in a function's body, but for the default of an argument that was not given: ``x or now()``."""
    arguments = {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]}
    defaults = set()
    for node in ast.walk(function):
        if isinstance(node, ast.BoolOp) and isinstance(node.values[0], ast.Name) and node.values[0].id in arguments:
            defaults |= {id(inner) for value in node.values[1:] for inner in ast.walk(value)}
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and id(node) not in defaults:
                yield ast.unparse(node.func)


# -- what is kept from eyes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SensitiveStr, ExternalId, Secret])
def test_a_confidential_value_prints_masked(kind: type[SensitiveStr]) -> None:
    value = kind("hunter2hunter2")
    shown = [str(value), repr(value), f"{value}", f"{value!r:>20}", str([value, {1: value}])]
    shown.append(operator.mod("%s %r", (value, value)))
    assert all(REDACTED in text and "hunter2" not in text for text in shown)


CONFIDENTIAL = re.compile(r"(secret|token|password|external_ids?|mfa_code)|\w+_(secret|token|external_id)", re.ASCII)


@each_module(but=COMMANDS)
def test_what_is_named_like_a_secret_has_a_type_that_is_masked(module: Module) -> None:
    for node in ast.walk(module.tree):
        name, annotation = None, None
        if isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, node.annotation
        if name and annotation and CONFIDENTIAL.fullmatch(name):
            kind = ast.unparse(annotation)
            assert re.search("Masked|ExternalId|Secret", kind) or "str" not in kind, f"{module.name}: {name} is a text"


# -- what people read ------------------------------------------------------------------------------------------------

NAMED_AFTER_THE_VALUE = ("inventory.validators",)
"""Each function there checks what it is named after, as its module says."""


@each_module()
def test_what_is_public_has_a_docstring(module: Module) -> None:
    assert ast.get_docstring(module.tree), module.name
    for node in module.tree.body:
        public = isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
        if public and module.name not in NAMED_AFTER_THE_VALUE:
            assert isinstance(node, (ast.ClassDef, ast.FunctionDef))
            assert ast.get_docstring(node), f"{module.name}.{node.name}"


@pytest.mark.parametrize("name", sorted(tasks.namespace.task_names))
def test_a_command_says_what_it_does_and_what_each_flag_means(name: str) -> None:
    assert tasks.namespace[name].body.__doc__, "no docstring"
    for argument in arguments_of(name):
        assert argument.help, f"--{argument.name} has no help"
        assert all(len(each) > 1 for each in argument.names), f"--{argument.name} has a short form nobody asked for"


LONGEST = 300


def test_no_module_is_longer_than_300_lines() -> None:
    modules = [*(CHECKOUT / "venue_access").rglob("*.py"), *(CHECKOUT / "scripts").glob("*.py")]
    lengths = {str(file.relative_to(CHECKOUT)): len(file.read_text("utf-8").splitlines()) for file in modules}
    assert {name for name, lines in lengths.items() if lines > LONGEST} == set()


PLACES = re.compile(
    r"(?<![\w.$}~>-])/(home|root|Users|work|mnt|opt)/\w"  # a path of somebody's machine
    r"|--(extra-)?index-url|(?<!no-emit-)index[-_]url\s*="  # where packages come from is everybody's own matter
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
