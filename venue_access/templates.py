"""The Jinja2 adapter: renders the files of ``templates/``, which hold structure and get every value as data.

In a JSON template a value passes through ``tojson``, in an HCL template through ``hcl``, and in a shell's command
through ``shell_quoted``, so that no value can end the string that it is in. A value that a template names and is not
given is an error.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venue_access.config import assets
from venue_access.errors import RenderError

if TYPE_CHECKING:
    from jinja2 import Environment


def render_template(name: str, **values: Any) -> str:
    """Return the text of a template, such as ``stack/versions.tf.j2``, with its values filled in.

    :raises RenderError: the template is missing or malformed, or names a value that is not given.
    """
    from jinja2 import TemplateError  # here: it takes longer to import than a token that needs no template to issue

    try:
        return _environment(assets("templates")).get_template(name).render(values)
    except (TemplateError, TypeError) as error:
        raise RenderError(f"templates/{name}: {error}") from error


def hcl_literal(text: str) -> str:
    """Return ``text`` as an HCL string in which nothing is interpolated (HCL Native Syntax, "Template Expressions")."""
    return '"' + re.sub(r'[\\"\x00-\x1f\x7f]|[$%](?=\{)', lambda found: f"\\u{ord(found[0]):04x}", text) + '"'


@lru_cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # neither HCL nor JSON is HTML
    )
    environment.filters |= {"hcl": hcl_literal, "shell_quoted": shlex.quote, "wrap": _paragraph, "item": _list_item}
    return environment


def _paragraph(text: str) -> str:
    return textwrap.fill(
        text.strip(), 78, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _list_item(text: str) -> str:
    return textwrap.fill(text, 78, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)
