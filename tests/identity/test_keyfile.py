from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from presence_core.identity.keyfile import (
    IDENTITY_FILE,
    HomeError,
    KeyFile,
    atomic_write,
    private_key_pem,
    read_identity,
    read_mesh_key,
    write_mesh_key,
)
from presence_core.identity.mesh import MeshKey

posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    first = KeyFile.open(home)
    key = first.identity.peer_key
    first.close()
    first.close()
    again = KeyFile.open(home)
    assert again.identity.peer_key == key
    assert read_identity(home) == key
    again.close()


@posix
def test_key_and_home_are_for_their_owner_only(tmp_path: Path) -> None:
    os.umask(0)
    try:
        KeyFile.open(tmp_path / "home").close()
        write_mesh_key(tmp_path / "home" / "mesh.key", MeshKey.generate("field"))
    finally:
        os.umask(0o022)
    assert mode(tmp_path / "home") == 0o700
    assert mode(tmp_path / "home" / "identity.key") == 0o600
    assert mode(tmp_path / "home" / "mesh.key") == 0o600


@posix
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_reach_is_refused_with_the_remedy(tmp_path: Path, bits: int) -> None:
    KeyFile.open(tmp_path).close()
    path = tmp_path / "identity.key"
    path.chmod(bits)
    for use in (KeyFile.open, read_identity):
        with pytest.raises(HomeError, match=f"chmod 600 {path}") as caught:
            use(tmp_path)
        assert "\n" not in str(caught.value)


def test_a_key_is_for_one_engine_at_a_time(tmp_path: Path) -> None:
    first = KeyFile.open(tmp_path)
    with pytest.raises(HomeError, match="already runs"):
        KeyFile.open(tmp_path)
    first.close()
    KeyFile.open(tmp_path).close()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path;"
        "from presence_core.identity.keyfile import KeyFile;"
        "k = KeyFile.open(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(HomeError, match="already runs"):
        KeyFile.open(tmp_path)
    process.kill()
    process.communicate()
    KeyFile.open(tmp_path).close()


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from presence_core.identity.keyfile import HomeError, KeyFile, read_identity;"
        "home = Path(sys.argv[1]);\n"
        "try: KeyFile.open(home)\n"
        "except HomeError: pass\n"
        "print(read_identity(home).hex())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "home")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    keys = {process.communicate()[0] for process in processes}
    assert len(keys) == 1
    assert sorted(p.name for p in (tmp_path / "home").iterdir()) == ["identity.key"]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    KeyFile.open(tmp_path).close()
    path = tmp_path / "identity.key"
    path.write_bytes(content)
    with pytest.raises(HomeError, match="holds no Ed25519 key"):
        KeyFile.open(tmp_path)
    assert path.read_bytes() == content


def test_epochs_grow_whatever_the_clock_says(tmp_path: Path) -> None:
    key = KeyFile.open(tmp_path)
    assert key.next_epoch(5_000) == 5_000
    assert key.next_epoch(5_000) == 5_001
    assert key.next_epoch(1) == 5_002
    key.close()
    key = KeyFile.open(tmp_path)
    assert key.next_epoch(10) == 5_003
    (tmp_path / "epoch").write_text("broken")
    with pytest.raises(HomeError, match="damaged"):
        key.next_epoch(10)
    key.close()


@pytest.mark.parametrize("content", ["", "-1", "1.5", "12 13", str(2**64 - 1), "9" * 5_000])
def test_an_epoch_file_that_holds_no_epoch_is_refused(tmp_path: Path, content: str) -> None:
    key = KeyFile.open(tmp_path)
    (tmp_path / "epoch").write_text(content)
    with pytest.raises(HomeError, match="damaged; remove it"):
        key.next_epoch(10)
    key.close()


KILLED_AT_STEP = """
import os, signal, sys
from pathlib import Path
from presence_core.identity import keyfile

left = int(sys.argv[2])

def dying(call):
    def step(*args, **kwargs):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return call(*args, **kwargs)
    return step

for name in ("open", "fsync", "link", "replace", "rename", "unlink", "write"):
    setattr(os, name, dying(getattr(os, name)))
home = Path(sys.argv[1])
try:
    key = keyfile.KeyFile.open(home)
    print(key.next_epoch(1), flush=True)
finally:
    print("whole", flush=True)
"""


@posix
def test_a_process_killed_at_any_step_leaves_the_old_content_or_the_new(tmp_path: Path) -> None:
    before = tmp_path / "before"
    KeyFile.open(before).close()
    (before / "epoch").write_text("7\n")
    key = read_identity(before)
    for fresh in (True, False):
        for step in range(30):
            home = tmp_path / f"{fresh}{step}"
            if not fresh:
                shutil.copytree(before, home)
            ended = subprocess.run(
                [sys.executable, "-c", KILLED_AT_STEP, str(home), str(step)],
                stdout=subprocess.PIPE,
                text=True,
            )
            again = KeyFile.open(home)
            assert {p.name for p in home.iterdir()} <= {"identity.key", "epoch"}
            if fresh:
                assert again.next_epoch(1) in (1, 2)
            else:
                assert again.identity.peer_key == key
                assert again.next_epoch(1) in (8, 9)
            again.close()
            if ended.returncode == 0:
                break
            assert ended.returncode == -signal.SIGKILL
        else:
            pytest.fail("the process never came to its end")
        assert step > 3


def test_a_lock_that_cannot_be_had_for_another_reason_is_not_called_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unsupported(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(HomeError, match="cannot lock .*identity.key: No locks available"):
        KeyFile.open(tmp_path)


@posix
def test_a_key_that_its_owner_may_only_read_works_and_is_locked(tmp_path: Path) -> None:
    KeyFile.open(tmp_path).close()
    (tmp_path / "identity.key").chmod(0o400)
    first = KeyFile.open(tmp_path)
    with pytest.raises(HomeError, match="already runs"):
        KeyFile.open(tmp_path)
    first.close()


def test_writers_of_one_file_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([n]) * 10_000 for n in range(4)]

    def write(content: bytes) -> None:
        for _ in range(10):
            atomic_write(path, content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_write_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot use"):
        KeyFile.open(tmp_path / "file" / "home")


def test_a_mesh_key_file_holds_key_and_name(tmp_path: Path) -> None:
    mesh = MeshKey.generate("relief north")
    path = tmp_path / "some.key"
    write_mesh_key(path, mesh)
    read = read_mesh_key(path)
    assert read == mesh
    assert read.name == "relief north"
    with pytest.raises(HomeError, match="exists already"):
        write_mesh_key(path, MeshKey.generate("other"))
    assert read_mesh_key(path) == mesh


def test_a_mesh_key_file_of_one_line_is_named_by_its_file(tmp_path: Path) -> None:
    mesh = MeshKey.generate("x")
    path = tmp_path / "field.key"
    path.write_text(mesh.text() + "\n")
    path.chmod(0o600)
    assert read_mesh_key(path).name == "field"


@pytest.mark.parametrize("content", ["", "# mesh: x\n", "hello\n", "mk1qqqq\n", "mk1a\nmk1b\n"])
def test_a_mesh_key_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "field.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(HomeError, match="field.key"):
        read_mesh_key(path)
    with pytest.raises(HomeError, match="no mesh key file"):
        read_mesh_key(tmp_path / "missing")


def test_keys_are_written_as_other_tools_write_them_and_read_in_every_form(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert private_key_pem(private) == pem
    wrapped = pem.replace(b"\n", b"\r\n")
    for number, text in enumerate((pem, wrapped, b"a remark\n" + pem)):
        home = tmp_path / str(number)
        home.mkdir(mode=0o700)
        path = home / IDENTITY_FILE
        path.write_bytes(text)
        path.chmod(0o600)
        with contextlib.closing(KeyFile.open(home)) as file:
            assert file.identity.private_bytes() == private.private_bytes_raw()
