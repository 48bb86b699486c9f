"""What tests in network namespaces share."""

from __future__ import annotations

from pathlib import Path

import pytest

from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey


@pytest.fixture
def mesh_file(tmp_path: Path) -> str:
    """Make the key of a closed mesh; return the path of its file."""
    path = tmp_path / "field.key"
    write_mesh_key(path, MeshKey.generate("field"))
    return str(path)
