from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

MAKE = Path(__file__).parents[2] / "screenshots" / "make.py"


def _make() -> Any:
    import sys

    spec = importlib.util.spec_from_file_location("screenshots_make", MAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


make = _make()


@pytest.mark.parametrize("picture", make.PICTURES, ids=lambda picture: picture.name)
async def test_the_committed_pictures_show_the_screen_as_it_is(picture: Any) -> None:
    committed = (MAKE.parent / f"{picture.name}.svg").read_text(encoding="utf-8")
    assert await make.svg_of(picture) == committed, "run: make screenshots, and look at them"
