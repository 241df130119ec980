"""Print the command reference (docs/commands.md), or with ``variables`` rewrite the table of docs/inventory.md."""

from __future__ import annotations

import copy
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tasks
from venue_access.inventory.schema import FIELDS, default_of

STDOUT = {
    "provision": "Ansible's recap, a line for each venue: `ok` counts existing resources and successful checks, "
    "`changed` added, changed and destroyed resources, `skipped` checks that could not run, `unreachable` an account "
    "that the credentials do not reach. With `--json` one document: `{venues: {NAME: {stack, changed, add, change, "
    "destroy, failed, unreachable, error, role_arn, external_id_parameter}}}`.",
    "drift": "a line for each venue: `in sync`, `differs` or `unknown`, followed by the attributes that differ."
    " With `--json` one document: `{venues: {NAME: {in_sync, differences, error}}}`. Never an external ID.",
    "state.migrate": "the location of each stack's state, on a line each.",
    "state.rm": "what was removed from the state.",
    "state.force-unlock": "who held the lock.",
    "deprovision": "the number of destroyed resources.",
    "rotate-external-id": "a line with the result. With `--json` one document: `{venue, began, ended, steps, "
    "complete, grace_until}`. Never an external ID.",
    "status": "a line for each venue. With `--json` one document: `{venues: {NAME: {provisioned, external_id, "
    "rotating, grace_until, external_id_age_seconds, external_id_parameter_type, outdated_external_id, "
    "unknown_external_id, max_session_duration, role_arn, error}}}`, where `external_id` is a word such as `stable`, "
    "`outdated_external_id` lists recipients of an earlier one, and `unknown_external_id` those for whom SSM's "
    "history does not show it. Never an external ID.",
    "verify": "a line for each check with the expected and the found value; the last line counts the checks by "
    "result. With `--json` one document: `{venue, role_arn, differences, unclear, checks}`, "
    "where `differences` and `unclear` are counts, and each check has `tried`, `expected`, `found`, `holds`, which is "
    "null if it is unclear, and `result`: `ok`, `differs`, `unclear` or `skipped`. Never an external ID.",
    "operator-policy": "the IAM policy document.",
    "issue-token": "what `aws sts assume-role` prints, or another of the [formats](formats.md). For several users, one "
    "document on each line; a refused user is reported on standard error, and the others get their tokens. With "
    "`--encrypt` or `--out`, the path of each file, one on each line, and nothing confidential.",
    "console-url": "the URL, which is a secret for 15 minutes; nothing with `--open`.",
    "exec": "what the command prints; the exit code is the command's.",
    "external-id.send": "the path of the encrypted file.",
    "doctor": "a line for each check: `ok`, `warning` or `error`, and below it the remedy. With `--json` one "
    "document: `{checks: [{what, level, found, remedy}]}`.",
    "account.list": "`Possible accounts:` and their names. With `--json` one document: `{accounts: {NAME: {source, "
    "account_id}}}`.",
    "account.use": "statements for the shell to evaluate.",
    "account.mfa": "statements for the shell to evaluate.",
    "account.whoami": "the account whose credentials are set, and the region, on a line each.",
    "account.role-token": "JSON with `access_key`, `secret_key`, `session_token` and `expiration`, or another of the "
    "[formats](formats.md).",
    "account.unset": "statements for the shell to evaluate.",
    "account.profile": "the profile's name.",
    "revoke-token": "a line with the result; with `--list`, a line for each revocation. With `--json` one "
    "document: `{venue, revoked, proved, undone, revocations, pruned}`, where a revocation is `{name, scope, session, "
    "user, issued_before, expires}`.",
    "tokens": "a table of tokens, the oldest first; nothing if there are none. With `--json` one document: "
    "`{tokens: [...]}`, each with the keys of its [record](ledger.md), `state` (`live`, `expired`, `revoked`) and "
    "`delivered`.",
    "ledger.verify": "a line for each ledger with its number of records; nothing if a record was changed, removed or "
    "moved: the damage is reported on standard error, and the exit code is 7.",
    "ledger.head": "64 hexadecimal digits.",
    "inventory.list": "the JSON of `ansible-inventory --list`.",
    "inventory.host": "the JSON of `ansible-inventory --host`.",
    "inventory.check": "nothing: problems and warnings go to standard error, and so does the line that says that the "
    "inventory is valid.",
    "inventory.init": "the path of the new folder.",
    "inventory.schema": "a JSON Schema (draft 2020-12) of the variables in a file of `group_vars/` or `host_vars/`; "
    "`#/$defs/venue` adds what all variables of a venue together need.",
    "inventory.graph": "the tree of `ansible-inventory --graph`.",
    "inventory.names": "a name on each line.",
    "inventory.provisioned": "the JSON of an Ansible inventory; `scripts/inventory` prints it as a dynamic inventory.",
    "local.up": "nothing.",
    "local.down": "nothing.",
    "local.status": "the endpoint, its CA file and log, and the exports for the AWS CLI.",
}
"""What each command writes to standard output, which the commands themselves do not document."""

HEAD = """\
# Commands

Generated by `scripts/docs.py`. `invoke` lists the commands, `invoke --help NAME` shows one. `venue-access` runs the
same commands from any folder. Several commands on one line run in order until one fails.

Results go to standard output; progress, warnings and errors go to standard error. [exit-codes.md](exit-codes.md) lists
the exit codes; [inventory.md](inventory.md) describes the names of venues and the patterns of `--limit`.

Invoke's `--dry` precedes the command: `invoke --dry provision` plans, `invoke --dry issue-token --user alice`
only checks. With `--dry`, no command changes anything in AWS, starts or stops a process, or prints credentials.

`INVOKE_INVENTORY`, `INVOKE_WORKDIR` and `INVOKE_TERRAFORM` override the keys of `invoke.yaml`; paths in them are
relative to the current folder. `invoke --search-root CHECKOUT` runs the commands from any folder."""


def reference() -> str:
    """Return the text of docs/commands.md."""
    names = sorted(tasks.namespace.task_names, key=lambda name: ("." in name, name))
    return "\n".join([HEAD, *(line for name in names for line in _command(name))]) + "\n"


def arguments_of(name: str) -> list[Any]:
    """Return a command's arguments from a copy of its task: Invoke consumes their help when asked."""
    task = copy.copy(tasks.namespace[name])
    task.help = dict(task.help)
    return list(task.get_arguments())


def _command(name: str) -> Iterator[str]:
    task = tasks.namespace[name]
    flags = [(argument, _flag(argument)) for argument in arguments_of(name)]
    parameters = inspect.signature(task.body).parameters
    usage = [
        written if parameters[argument.name].default is inspect.Parameter.empty else f"[{written}]"
        for argument, written in flags
    ]
    yield from ("", f"## {name}", "", inspect.cleandoc(task.body.__doc__ or ""), "", "```text")
    line = " ".join([f"invoke {name}", *usage])
    yield from textwrap.wrap(line, 110, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
    yield "```"
    if flags:
        yield from ("", "| flag | default | meaning |", "|---|---|---|")
        yield from (f"| `{written}` | {_default(argument)} | {_cell(argument.help)} |" for argument, written in flags)
    yield from ("", *textwrap.wrap(f"On standard output: {STDOUT[name]}", 118, break_on_hyphens=False))


def _flag(argument: Any) -> str:
    name = argument.names[0]
    if argument.positional:
        return str(name.upper())
    return f"--{name}" if argument.kind is bool else f"--{name}={name.rsplit('-', 1)[-1].upper()}"


def _default(argument: Any) -> str:
    if argument.kind is bool:
        return "off"
    return "" if argument.default is None else f"`{argument.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def variables_table() -> Iterator[str]:
    yield from ("| variable | type | default | meaning | example |", "|---|---|---|---|---|")
    for name, each in FIELDS.items():
        about = each.metadata
        default = about["default"] or _documented(default_of(name), required=each.default is not None)
        yield f"| `{name}` | {about['type'].name} | {default} | {about['meaning']} | `{about['example']}` |"


def _documented(value: object, *, required: bool) -> str:
    if value is None:
        return "required" if required else "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "`[]`" if value == () else "`{}`" if value == {} else f"`{value}`"


def with_variables(document: str) -> str:
    """Return docs/inventory.md with its table of variables as the program declares them."""
    table = "\n".join(variables_table())
    return re.sub(r"(?<=scripts/docs variables -->\n\n).*?(?=\n\n)", lambda _: table, document, flags=re.DOTALL)


if __name__ == "__main__":
    if sys.argv[1:] == ["variables"]:
        path = Path(__file__).resolve().parents[1] / "docs/inventory.md"
        path.write_text(with_variables(path.read_text("utf-8")), "utf-8")
    else:
        sys.stdout.write(reference())
