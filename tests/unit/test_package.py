"""What a wheel holds: all that is read at run time, not only modules."""

from __future__ import annotations

import tomllib
from itertools import chain
from pathlib import Path

import pytest

from shared.settings import AlertsSettings, IngestSettings, MonitorSettings

ROOT = Path(__file__).resolve().parents[2]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
TOPS = [name.rstrip("*") for name in SETUPTOOLS["packages"]["find"]["include"]]


def packed(top: str) -> set[Path]:
    """Files below `top` that the patterns take, besides modules."""
    folders = [ROOT / top, *(path for path in (ROOT / top).rglob("*") if path.is_dir())]
    return set(chain.from_iterable(folder.glob(like) for folder in folders for like in SETUPTOOLS["package-data"]["*"]))


@pytest.mark.parametrize("top", ["floorwatch", "services", "shared"])
def test_every_file_beside_the_modules_is_in_the_package(top: str) -> None:
    assert top in TOPS
    beside = {
        path
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert beside - packed(top) == set()


def test_the_configuration_that_ships_is_in_the_package() -> None:
    shipped = packed("deploy") if "deploy" in TOPS else set()
    for settings in (IngestSettings, MonitorSettings, AlertsSettings):
        for name, field in settings.model_fields.items():
            if isinstance(field.default, Path) and name.endswith("_file"):
                assert field.default in shipped, name
