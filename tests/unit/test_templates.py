"""The Jinja2 adapter: what goes wrong in a template is named, and no value is interpolated."""

from __future__ import annotations

from pathlib import Path

import pytest

from venue_access import templates
from venue_access.config import assets
from venue_access.errors import RenderError
from venue_access.templates import hcl_literal, render_template


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ("${x} $${x} %{if}", r'"\u0024{x} $\u0024{x} \u0025{if}"'),
        ('"quoted" \\ line\nbreak', r'"\u0022quoted\u0022 \u005c line\u000abreak"'),
        ("$5, 5 %, Größe", '"$5, 5 %, Größe"'),
    ],
)
def test_hcl_literals_are_not_interpolated(text: str, literal: str) -> None:
    assert hcl_literal(text) == literal


def test_missing_value_is_a_template_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "main.tf.j2").write_text("{{ stack.nmae }}")
    monkeypatch.setattr(templates, "assets", lambda name: tmp_path)
    with pytest.raises(RenderError, match=r"templates/stack/main\.tf\.j2: .*nmae"):
        render_template("stack/main.tf.j2", stack=object())
    with pytest.raises(RenderError, match=r"templates/stack/nothing\.j2: "):
        render_template("stack/nothing.j2")


def test_missing_assets_are_an_error() -> None:
    with pytest.raises(RenderError, match="the folder nothing/ is missing"):
        assets("nothing")
