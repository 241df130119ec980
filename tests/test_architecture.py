"""The rules of the architecture (docs/architecture.md), each checked by a test that reads the sources."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from tests.sources import CHECKOUT, COMMANDS, PACKAGE, Module, each_module

LAYERS = (
    ("base", ("errors", "console", "sensitive", "files", "config", "times")),
    ("templates", ("templates",)),
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
"""From the bottom up: a module imports from its own layer and from lower ones."""

ADAPTERS = {
    "boto3": ("aws.client",),
    "botocore": ("aws.client", "aws.botocore_adapter", "aws.types"),
    "cryptography": ("emulator.certificate", "tokens.encryption.smime"),  # ours, and recipients' certificates
    "keyring": ("accounts.sources",),
    "jinja2": ("templates",),
    "pyrage": ("tokens.encryption.age",),
    "python_terraform": ("provisioning.terraform",),
    "trustme": ("emulator.certificate",),
    "yaml": ("inventory.documents",),
}
"""Each outside package with the only module that imports it (the two uses of cryptography are unrelated)."""


def layer_of(module: Module) -> int:
    layers = [number for number, (_, members) in enumerate(LAYERS) if module.name.split(".")[0] in members]
    assert layers, f"{module.name} is in no layer; add it to LAYERS"
    return layers[0]


# -- layers and adapters ----------------------------------------------------------------------------------------------


@each_module()
def test_imports_point_one_way(module: Module) -> None:
    modules = {other.name: other for other in PACKAGE}
    for imported in module.imports():
        if imported.startswith("venue_access."):
            other = modules[imported.removeprefix("venue_access.")]
            assert layer_of(other) <= layer_of(module), f"{module.name} imports {other.name} of a higher layer"


@each_module()
def test_provisioning_and_tokens_do_not_import_each_other(module: Module) -> None:
    others = {"provisioning": "tokens", "tokens": "provisioning"}
    other = others.get(module.name.split(".")[0], "none")
    assert not [each for each in module.imports() if each.startswith(f"venue_access.{other}")]


@each_module()
def test_one_adapter_for_each_outside_package(module: Module) -> None:
    for imported in module.imports():
        outside = imported.split(".")[0]
        if outside != "venue_access" and outside not in sys.stdlib_module_names:
            adapters = COMMANDS if outside == "invoke" else ADAPTERS.get(outside, ())
            assert module.name in adapters, f"{module.name} imports {outside}"


def test_package_init_imports_only_the_standard_library() -> None:
    for file in (CHECKOUT / "venue_access").rglob("__init__.py"):
        at_once = ast.parse(file.read_text(encoding="utf-8"))
        at_once.body = [node for node in at_once.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        for imported in Module(str(file), at_once).imports():
            assert imported.split(".")[0] in sys.stdlib_module_names, f"{file} imports {imported}"


# -- deciding and acting ---------------------------------------------------------------------------------------------

PURE = (
    "inventory.arns",
    "inventory.validators",
    "inventory.cross_validation",
    "inventory.exports",
    "inventory.model",
    "inventory.schema",
    "inventory.value_types",
    "inventory.groups",
    "ledger.chain",
    "ledger.verify",
    "ledger.listing",
    "policies.operator",
    "provisioning.diagnostics",
    "provisioning.changes",
    "provisioning.results",
    "provisioning.venue_snapshot",
    "policies.documents",
    "policies.compare",
    "provisioning.stack",
    "tokens.console.site",
    "policies.session",
    "policies.session_file",
    "tokens.formats",
    "tokens.shell_formats",
    "audit.report",
    "tokens.encryption.bundle",
)


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_have_no_side_effects(name: str) -> None:
    (module,) = [module for module in PACKAGE if module.name == name]
    edges = {"os", "shutil", "socket", "subprocess", "sys", "tempfile", "threading", "time", "venue_access.files"}
    assert not edges & set(module.imports())
    assert not [call for call, _ in module.calls() if call.rpartition(".")[2] in ("read_text", "write_text", "open")]


@each_module(
    but=("console", "accounts.credentials", "sensitive")
)  # credentials prints a cached response before it imports console
def test_only_console_prints_and_asks(module: Module) -> None:
    names = {ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, (ast.Attribute, ast.Name))}
    assert not names & {"print", "input", "getpass", "logging", "sys.stdin", "sys.stdout", "sys.stderr"}


PAYLOADS = {
    ("cli.account", "account_unset"),  # statements for a shell
    ("cli.account", "account_role_token"),  # a format
    ("cli.account", "print_credentials"),  # statements for a shell
    ("cli.console_url", "show"),  # a URL, percent-encoded
    ("cli.tokens", "external_id_send"),  # the path of a file; unprintable paths are refused
    ("accounts.credential_process", "respond"),  # JSON
    ("tokens.issue", "issue_tokens"),  # a format, or the path of a file
}
"""The functions that print results for programs, byte for byte; all others escape control characters."""


@each_module()
def test_only_listed_functions_print_unescaped(module: Module) -> None:
    found = {(module.name, function) for call, function in module.calls() if call == "console.payload"}
    assert found <= PAYLOADS


@each_module()
def test_nothing_ends_the_process(module: Module) -> None:
    endings = {"sys.exit", "os._exit", "os.abort", "exit", "quit", "SystemExit"}
    assert not [call for call, _ in module.calls() if call in endings]


@each_module(but=("files", "ledger.local"))
def test_only_files_writes_files(module: Module) -> None:
    """It creates them with mode 0600 and replaces them atomically."""
    calls = [call for call, _ in module.calls()]
    assert not [call for call in calls if call == "open" or call.endswith((".write_text", ".write_bytes", ".chmod"))]


AMBIENT = re.compile(
    r"time\.(sleep|time|monotonic)|datetime\.(datetime\.)?(now|utcnow|today)|date\.today|os\.urandom"
    r"|(secrets|random|uuid)\.\w+"
)
AMBIENT_ALLOWED = {
    ("files", "write_private"),  # a temporary name
    ("emulator.server", "_wait"),  # waits for a real process in every test
    ("provisioning.venue_snapshot", "new_external_id"),  # must be unpredictable
}


@each_module(but=COMMANDS)
def test_time_randomness_and_waiting_are_arguments(module: Module) -> None:
    for function in ast.walk(module.tree):
        if isinstance(function, ast.FunctionDef) and (module.name, function.name) not in AMBIENT_ALLOWED:
            found = [call for call in _ambient(function) if AMBIENT.fullmatch(call)]
            assert not found, f"{module.name}.{function.name} calls {found[0]}; take it as an argument"


def _ambient(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the calls in a function's body, except defaults of missing arguments: ``x or now()``."""
    arguments = {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]}
    defaults = set()
    for node in ast.walk(function):
        if isinstance(node, ast.BoolOp) and isinstance(node.values[0], ast.Name) and node.values[0].id in arguments:
            defaults |= {id(inner) for value in node.values[1:] for inner in ast.walk(value)}
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and id(node) not in defaults:
                yield ast.unparse(node.func)
