"""Hostile content of inventories: texts, values, documents and names."""

from __future__ import annotations

import json
import random
from typing import Any

CANARY = "canary-5f1c88aa"
"""What a file beside an inventory holds; no message may show it."""

TEXTS = (
    "${file(\"/etc/passwd\")}", "%{ for each in [1] }x%{ endfor }", "{{ lookup('pipe', 'touch evil') }}",
    "{% include '/etc/passwd' %}", "{# x", "`touch evil`", "$(touch evil)", "; touch evil", "| touch evil", "-rf",
    "--help", "../../evil", "..", ".", "/etc/passwd", "/dev/zero", "~/evil", "file:///etc/passwd", "http://[", "a\0b",
    "\x1b[2J\x1b]0;evil\x07", "\r\nevil: 1", "\u202eved-ytinu", "\ud800", "\ufeff", "\u0661" * 12, "İ", "x" * 100_000,
    "arn:aws:iam::111122223333:role/" + "a/" * 20_000, "a" * 63 + ".", "[default]", "%s%n%x", "'; DROP TABLE x", '"',
    "\\", "\n", " ", "", "null", "*", "arn:aws:iam::*:root", "@" * 50, "a@b" * 10_000, "xn--" + "a" * 40, "1e999",
)  # fmt: skip
"""Texts for wherever a text may stand."""

VALUES: tuple[Any, ...] = (
    *TEXTS, 0, -1, 10**30, -(10**99), 1e308, float("inf"), float("nan"), True, False, [], {}, [[]], [{}], [None],
    {"": ""}, {"a": {"b": {"c": {}}}}, [*"abc"] * 2, list(range(1000)), [f"b{number}" for number in range(20_000)],
    {f"user{number}": None for number in range(20_000)}, {"backend": "s3", "bucket": "../../evil"},
    {"backend": "s3", "bucket": "evil-bucket", "key_prefix": "../../evil/"}, {"s3": {"bucket": "x", "prefix": "../"}},
    {"backend": "../evil"}, {"backend": ["s3"]}, {"s3": []}, {"../../evil": None}, {"alice": {"keys": ["/etc/passwd"]}},
    {"alice": {"keys": ["../outside"]}}, {"alice": {"timezone": "../../../etc/passwd"}}, {"alice": {"venues": [[]]}},
    {"alice": {"email": "`touch evil`@x"}}, {"__ansible_unsafe": "{{ x }}"}, {"__ansible_vault": "x"},
)  # fmt: skip
"""Values for any variable."""


def deep(opening: str, closing: str = "", *, times: int = 100_000) -> str:
    return "x: " + opening * times + closing * times


def laughs(line: str) -> str:
    """Lines that each name the one before nine times."""
    nine = ", ".join(["*l{0}"] * 9)
    lines = [line.format(number + 1, nine.format(number)) for number in range(12)]
    return "\n".join(["l0: &l0 {x: lol}", *lines])


DOCUMENTS: dict[str, str | bytes] = {
    "brackets": deep("["),
    "closed brackets": deep("[", "]"),
    "braces": deep("{a: "),
    "dashes": deep("- ").removeprefix("x: "),
    "question marks": deep("? ").removeprefix("x: "),
    "indentation": "".join(" " * depth + "a:\n" for depth in range(1_500)),
    "JSON brackets": "[" * 100_000,
    "JSON braces": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "laughs": laughs("l{0}: &l{0} [{1}]"),
    "merged laughs": laughs("l{0}: &l{0} {{<<: [{1}]}}"),
    "unsafe laughs": laughs("l{0}: &l{0} !unsafe [{1}]"),
    "wide merges": "b: &b {" + ", ".join(f"k{n}: 1" for n in range(9_000)) + "}\nc:\n" + "- <<: *b\n" * 5_000,
    "a long text many times": f"a: &a {'x' * 1_000_000}\nb: [" + "*a, " * 20_000 + "]",
    "itself": "all: &a {hosts: *a}",
    "itself in a list": "all: &a [*a]",
    "itself merged": "all: &a {<<: *a}",
    "itself unsafe": "all: &a [!unsafe [*a]]",
    "itself as a default value": "x: &a {=: *a}\ny: !!str {=: 1}",
    "as its own key": "? &a [*a]\n: 1",
    "an alias of nothing": "all: *nothing",
    "an anchor twice": "all: {hosts: &a {unity-dev: }, vars: &a {}}",
    "many lines": "a:\n" * 300_000,
    "many items": "- a\n" * 300_000,
    "many variables": "".join(f"v{number}: 1\n" for number in range(300_000)),
    "many brackets": "a: [" + "[]," * 300_000 + "]",
    "many empty lines": ("\n" * 998 + "a\n") * 2_000,
    "many comments": "# x\n" * 500_000,
    "many directives": "".join(f"%TAG !t{number}! x\n" for number in range(50_000)) + "---\na: 1",
    "many anchors": "".join(f"- &a{number} x\n" for number in range(200_000)),
    "many documents": "--- 1\n" * 100_000,
    "many JSON keys, one twice": json.dumps({f"k{n}": 1 for n in range(60_000)})[:-1] + ', "k59999": 2}',
    "a huge text": "x: '" + "x" * 7_000_000 + "'",
    "too large": "#" * (8 * 1024 * 1024 + 1),
    "a huge key": "x" * 2_000_000 + ": 1",
    "a huge number": "x: " + "9" * 1_000_000,
    "a huge JSON number": '{"x": ' + "9" * 1_000_000 + "}",
    "a huge hexadecimal number": "all: {vars: {account_id: 0x" + "f" * 1_000_000 + "}}",
    "a huge number to the base of 60": "x: 1" + ":59" * 300_000,
    "a huge float to the base of 60": "x: 1" + ":59" * 300_000 + ".5",
    "a huge exponent": "x: 1.0e+999999999\ny: -.inf\nz: .NaN",
    "a huge date": "x: 9999999-99-99",
    "dates": "x: 2026-02-30",
    "a time zone of no day": "x: 2026-02-03 00:00:00 +99:99",
    "a python object": "x: !!python/object/apply:os.system ['touch evil']",
    "a python name": "x: !!python/name:os.system",
    "a python module": "x: !!python/module:os",
    "an unknown tag": "x: !evil%1b[2J y",
    "a tag of another kind": "x: !!int {a: 1}\ny: !!map [1]",
    "wrong tags": "x: !!int ''",
    "a wrong boolean": "x: !!bool maybe",
    "a wrong float": "x: !!float ''",
    "a wrong date": "x: !!timestamp never",
    "wrong binary": "x: !!binary '\u00e9'",
    "pairs": "x: !!pairs [{a: 1, b: 2}]",
    "an ordered map": "x: !!omap [1]",
    "a key that is a list": "? [a]\n: 1",
    "a key that is a mapping": "? {a: 1}\n: 1",
    "a key that is a date": "2026-01-01: 1",
    "a key that is nothing": "~: 1",
    "a key that is not a number": ".nan: 1",
    "a key that is vaulted": "? !vault x\n: 1",
    "duplicate keys": "all: {}\nall: {}",
    "duplicate keys by merge": "a: &a {x: 1}\nb: {<<: *a, <<: *a}",
    "a merge of a text": "a: {<<: x}",
    "a merge of many": "a: &a {x: 1}\nb: {<<: [" + "*a, " * 200 + "]}",
    "a vault": "$ANSIBLE_VAULT;1.1;AES256\n6162",
    "a vaulted value": "all: {hosts: {unity-dev: {region: !vault x}}}",
    "a list": "- unity-dev",
    "a text": "unity-dev",
    "a number": "12",
    "a set": "!!set {all, unity-dev}",
    "INI": "[unity]\nunity-dev ansible_host=x\n",
    "a script": "#!/bin/sh\ntouch evil\n",
    "a plugin": "plugin: aws_ec2\nregions: [us-east-1]",
    "a plugin that is a list": "plugin: [x]\nall: {}",
    "tabs": "all:\n\thosts:\n\t\tunity-dev:\n",
    "CRLF": "all:\r\n  hosts:\r\n    unity-dev:\r\n",
    "carriage returns": "all:\r  hosts:\r    unity-dev:\r",
    "line separators": "all:\u2028  hosts:\u2029    unity-dev: {}\x85",
    "two documents": "all: {}\n---\nall: {}",
    "an unclosed quote": 'all: "',
    "an unclosed bracket": "all: {hosts: [",
    "an escape of no character": 'x: "\\ud800"',
    "a wrong escape": 'x: "\\q"',
    "a JSON surrogate": '{"all": {"vars": {"region": "\\ud800", "\\udfff": 1}}}',
    "a JSON NUL": '{"all": {"hosts": {"unity-dev\\u0000": null}}}',
    "an escape sequence as a key": '"\\e[2J": {"\\e]0;x\\a": 1}',
    "an escape sequence in a slip": 'all: {hosts: {unity-dev: {"regio\\e": x}}}',
    "UTF-16": "all: {}".encode("utf-16"),
    "UTF-16 without a mark": "all: {}".encode("utf-16-le"),
    "UTF-32": "all: {}".encode("utf-32"),
    "Latin-1": "all: {vars: {x: \u00e9}}".encode("latin-1"),
    "UTF-8 of a surrogate": b"all: {x: \xed\xa0\x80}",
    "overlong UTF-8": b"all: {x: \xc0\xaf}",
    "a byte order mark": b"\xef\xbb\xbfall: {hosts: {unity-dev: }}",
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbfall: {}",
    "a byte order mark within": "all: {x: \ufeffy}".encode(),
    "NULs": b"\0" * 100_000,
    "a NUL": b"all: {hosts: {unity-dev\0: }}",
    "noise": random.Random(1).randbytes(100_000),
    "gzip": b"\x1f\x8b\x08\x00" + b"\0" * 100,
    "a byte": b"\xff",
    "a private key": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n",
    "a wide range": "all: {hosts: {'a[0:99999999]': }}",
    "a range beyond numbers": "all: {hosts: {'a[0:9999999999999999999]': }}",
    "ranges that multiply": "all: {hosts: {'" + "[0:9]" * 40 + "': }}",
    "many ranges in a name": "all: {hosts: {'" + "[0:99999]" * 20_000 + "': }}",
    "many ranges": "all: {hosts: {" + ", ".join(f"'a{number}[0:9999]': " for number in range(500)) + "}}",
    "a range with a large step": "all: {hosts: {'a[0:1:999999999]': }}",
    "a range backwards": "all: {hosts: {'a[9:0]': }}",
    "a wide range with large variables": "all: {hosts: {'a[0:9999]': }, vars: {x: " + "x" * 100_000 + "}}",
    "a wide range of venues": (
        "all: {hosts: {'unity-[0000:1999]': }, vars: {project: unity, region: us-west-2, account_id: '111122223333',"
        " trusted_principals: ['arn:aws:iam::111122223333:root'], users: {alice: {venues: [nowhere]}}}}"
    ),
    "a long chain of groups": "".join(f"g{n}: {{children: {{g{n + 1}: }}}}\n" for n in range(5_000)),
    "a long chain of groups, backwards": "".join(f"g{n}: {{children: {{g{n + 1}: }}}}\n" for n in range(5_000, 0, -1)),
    "groups in a ring": "".join(f"g{n}: {{children: {{g{(n + 1) % 50}: }}}}\n" for n in range(50)),
    "diamonds": "".join(f"{s}{n}: {{children: {{a{n + 1}: , b{n + 1}: }}}}\n" for n in range(40) for s in "ab"),
    "many groups": "".join(f"g{number}: {{hosts: {{unity-dev: }}}}\n" for number in range(15_000)),
    "all below another": "x: {children: {all: }}",
    "a priority of many digits": "g: {vars: {ansible_group_priority: '" + "9" * 10_000 + "'}}",
    "a priority of two signs": "g: {vars: {ansible_group_priority: --5}}",
    "a priority in other digits": "g: {vars: {ansible_group_priority: '\u0663'}}",
    "a priority that is a list": "g: {vars: {ansible_group_priority: [1]}}",
}  # fmt: skip
"""What a file of an inventory may hold."""

NAMES = (
    *(text for text in TEXTS if len(text) < 1000), "x" * 256, "unity-" + "x" * 300, "unity-../../evil", "unity-..",
    "unity-/etc/passwd", "unity-a b", "unity-`id`", "unity-$(id)", "unity-${x}", "unity-dev\n", "unity-dev:22",
    "unity-{}", "unity-{0}", "unity-{x.__class__}", "all", "ungrouped", "localhost", "CON", "unity-é", "unity-\u202e",
)  # fmt: skip
"""Names for whatever has one."""
