from __future__ import annotations

import re
from pathlib import Path

from tests.gossip.vectors import vectors

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_vectors_of_the_protocol_are_what_the_code_makes() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(r"```vectors\n(.*?)```", text, re.DOTALL)
    assert block is not None
    documented = dict(line.split(" = ", 1) for line in block[1].splitlines())
    assert documented == vectors(), "run: python -m tests.gossip.vectors"
