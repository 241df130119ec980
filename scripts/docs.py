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
from venue_access.inventory.schema import markdown_table

STDOUT = {
    "provision": "Ansible's recap, a line a venue: `ok` counts resources in place and proofs that held, `changed` "
    "resources made, changed and destroyed, `skipped` proofs that could not be had, `unreachable` an account that "
    "these keys do not reach. With `--json` one document: `{venues: {NAME: {stack, changed, add, change, destroy, "
    "failed, unreachable, error, role_arn, external_id_parameter}}}`.",
    "drift": "a line a venue: `in sync`, `differs` or `unknown`, and below one that differs what does, attribute by "
    "attribute. With `--json` one document: `{venues: {NAME: {in_sync, differences, error}}}`. Never an external ID.",
    "state.migrate": "where each stack's state is now, a line a stack.",
    "state.rm": "what was forgotten.",
    "state.force-unlock": "whose lock it was.",
    "deprovision": "how many resources were destroyed.",
    "rotate-external-id": "what was done, in a line. With `--json` one document: `{venue, began, ended, steps, "
    "complete, grace_until}`. Never an external ID.",
    "status": "a line a venue. With `--json` one document: `{venues: {NAME: {provisioned, external_id, rotating, "
    "grace_until, external_id_age_seconds, external_id_parameter_type, outdated_external_id, unknown_external_id, "
    "max_session_duration, role_arn, error}}}`, where `external_id` is a word such as `stable`, "
    "`outdated_external_id` lists who was handed an earlier one, and `unknown_external_id` those of whom SSM's history "
    "cannot tell. Never an external ID.",
    "verify": "a line for each thing that was looked at or tried: what, what was expected, what came back; the last "
    "line counts the checks by result. With `--json` one document: `{venue, role_arn, differences, unclear, checks}`, "
    "where `differences` and `unclear` are counts, and each check has `tried`, `expected`, `found`, `holds`, which is "
    "null where it could not be told, and `result`: `ok`, `differs`, `unclear` or `skipped`. Never an external ID.",
    "operator-policy": "the policy document, as IAM takes it.",
    "issue-token": "what `aws sts assume-role` prints, or another of the [formats](formats.md). For several users one "
    "document a line; who is refused is told on standard error, and the others get theirs. With `--encrypt` or `--out` "
    "the path of each file that was written, a line a user, and nothing confidential.",
    "console-url": "the URL, which is a secret for 15 minutes; with `--open` nothing.",
    "external-id.send": "the path of the encrypted file.",
    "doctor": "a line for each thing: `good`, `doubtful` or `wrong`, and below it what to do. With `--json` one "
    "document: `{checks: [{what, is, found, remedy}]}`.",
    "account.list": "`Possible accounts:` and their names. With `--json` one document: `{accounts: {NAME: {source, "
    "account_id}}}`.",
    "account.use": "statements for the shell, to be evaluated there.",
    "account.mfa": "statements for the shell, to be evaluated there.",
    "account.whoami": "whose keys are set, and the region, a line each.",
    "account.role-token": "JSON with `access_key`, `secret_key`, `session_token` and `expiration`, or another of the "
    "[formats](formats.md).",
    "account.unset": "statements for the shell, to be evaluated there.",
    "account.profile": "the profile's name.",
    "revoke-token": "what was revoked or taken back, in a line; with `--list` a line a revocation. With `--json` one "
    "document: `{venue, revoked, proved, undone, revocations, pruned}`, where a revocation is `{name, scope, session, "
    "user, issued_before, expires}`.",
    "tokens": "a table, a line a token, the oldest first; nothing where there is none. With `--json` one document: "
    "`{tokens: [...]}`, each with the keys of its [record](ledger.md), `state` (`live`, `expired`, `revoked`) and "
    "`delivered`.",
    "ledger.verify": "how many records each ledger has, in a line. Where one was changed, removed or moved, nothing; "
    "what is wrong is told on standard error, and the exit code is 7.",
    "ledger.head": "64 hexadecimal digits.",
    "inventory.list": "the JSON of `ansible-inventory --list`.",
    "inventory.host": "the JSON of `ansible-inventory --host`.",
    "inventory.check": "nothing: problems and warnings go to standard error, and so does the line that says that the "
    "inventory is valid.",
    "inventory.schema": "a JSON Schema (draft 2020-12) of the variables in a file of `group_vars/` or `host_vars/`; "
    "`#/$defs/venue` adds what all variables of a venue together need.",
    "inventory.graph": "the tree of `ansible-inventory --graph`.",
    "inventory.names": "a name a line.",
    "inventory.provisioned": "the JSON of an Ansible inventory; `scripts/inventory` makes a dynamic inventory of it.",
    "local.up": "nothing.",
    "local.down": "nothing.",
    "local.status": "where it answers, its CA file and log, and what to export for the AWS CLI.",
}
"""What each command writes to standard output: the one thing here that the program does not tell of itself."""

HEAD = """\
# Commands

Written by `scripts/docs` from the commands themselves. `invoke` alone lists them, `invoke --help NAME` shows one.
`venue-access` has the same commands from any folder. Several commands in one line run one after the other, until one
fails.

Results go to standard output; progress, warnings and errors go to standard error. What the exit codes mean is in
[exit-codes.md](exit-codes.md), how a venue is named and what `--limit` takes in [inventory.md](inventory.md).

Invoke's own `--dry` comes before the command: `invoke --dry provision` plans, `invoke --dry issue-token --user alice`
only checks. Under `--dry` no command changes anything in AWS, starts or stops a process, or prints keys.

`INVOKE_INVENTORY`, `INVOKE_WORKDIR` and `INVOKE_TERRAFORM` stand for the keys of `invoke.yaml`; paths in them are
relative to the folder you stand in. `invoke --search-root CHECKOUT` runs the commands from any folder."""


def reference() -> str:
    """The text of docs/commands.md."""
    names = sorted(tasks.namespace.task_names, key=lambda name: ("." in name, name))
    return "\n".join([HEAD, *(line for name in names for line in _command(name))]) + "\n"


def arguments_of(name: str) -> list[Any]:
    """A command's arguments as Invoke has them; asked itself, it gives their help only once in a process."""
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


def with_variables(document: str) -> str:
    """Return docs/inventory.md with its table of variables as the program declares them."""
    table = "\n".join(markdown_table())
    return re.sub(r"(?<=scripts/docs variables -->\n\n).*?(?=\n\n)", lambda _: table, document, flags=re.DOTALL)


if __name__ == "__main__":
    if sys.argv[1:] == ["variables"]:
        path = Path(__file__).resolve().parents[1] / "docs/inventory.md"
        path.write_text(with_variables(path.read_text("utf-8")), "utf-8")
    else:
        sys.stdout.write(reference())
