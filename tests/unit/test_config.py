"""Where the settings come from, and what their paths are relative to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from venue_access.config import default_settings, settings
from venue_access.errors import UsageError
from venue_access.files import user_path

DEFAULTS = {"inventory": "inventory/local", "workdir": ".venue-access", "terraform": "terraform"}
ROOT = Path("/checkout")


def test_invoke_yaml_paths_are_relative_to_its_folder() -> None:
    made = settings(DEFAULTS, root=ROOT, environ={})
    assert made.inventory == ROOT / "inventory" / "local"
    assert made.work_directory == ROOT / ".venue-access"


@pytest.mark.parametrize("key", ["inventory", "workdir"])
def test_environment_path_is_relative_to_the_current_folder(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = settings({**DEFAULTS, key: "mine"}, root=ROOT, environ={f"INVOKE_{key.upper()}": "mine"})
    assert {"inventory": made.inventory, "workdir": made.work_directory}[key] == tmp_path / "mine"


def test_flag_overrides_and_is_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {**DEFAULTS, "inventory": "theirs"}
    made = settings(given, root=ROOT, inventory="mine", environ={"INVOKE_INVENTORY": "theirs"})
    assert made.inventory == tmp_path / "mine"


def test_tilde_is_expanded_in_every_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell leaves it as it is in ``--inventory=~/x``, and a file always."""
    monkeypatch.setenv("HOME", str(tmp_path))
    theirs = settings({"inventory": "~/a", "workdir": "~/b", "terraform": "~/bin/tofu"}, root=ROOT, environ={})
    assert (theirs.inventory, theirs.work_directory) == (tmp_path / "a", tmp_path / "b")
    assert theirs.terraform == f"{tmp_path}/bin/tofu"
    mine = settings({**DEFAULTS, "workdir": "~/b"}, root=ROOT, inventory="~/c", environ={"INVOKE_WORKDIR": "~/b"})
    assert (mine.inventory, mine.work_directory) == (tmp_path / "c", tmp_path / "b")
    assert default_settings({}, workdir="~/d").work_directory == tmp_path / "d"
    assert user_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


@pytest.mark.parametrize("key", DEFAULTS)
def test_empty_setting_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match=f"INVOKE_{key.upper()} is empty"):
        settings({**DEFAULTS, key: ""}, root=ROOT, environ={f"INVOKE_{key.upper()}": ""})


def test_empty_flag_is_refused() -> None:
    with pytest.raises(UsageError, match="--inventory is empty"):
        settings(DEFAULTS, root=ROOT, inventory="", environ={})


def test_default_settings_match_invoke_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Path(__file__).resolve().parents[2]
    written = yaml.safe_load((checkout / "invoke.yaml").read_text(encoding="utf-8"))
    assert default_settings({}) == settings(written, root=checkout, environ={})
    monkeypatch.chdir(tmp_path)
    made = default_settings({"INVOKE_INVENTORY": "mine"}, workdir="work")
    assert (made.inventory, made.work_directory) == (tmp_path / "mine", tmp_path / "work")
