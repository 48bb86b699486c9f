"""What is loaded when: the proof at run time of what import-linter says of the text."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import presence_core
from presence_core.transports.ble.system import adapter_present
from tests.support import PATIENCE, loopback_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CORE = sorted(
    module.name for module in pkgutil.walk_packages(presence_core.__path__, "presence_core.")
)
SCREEN = {"textual", "rich"}
HEAVY = {"zeroconf", "bleak", "cryptography", "cbor2", "asyncio", "platformdirs", "segno"}


_REPORT = """
import json, pathlib, sys
try:
    exec(sys.argv[2])
except SystemExit as end:
    assert not end.code
finally:
    names = sorted({name.partition(".")[0] for name in sys.modules} | {*sys.modules})
    pathlib.Path(sys.argv[1]).write_text(json.dumps(names))
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], set[str]]:
    """Run code in a fresh interpreter; return the modules that are loaded then."""

    def run(code: str) -> set[str]:
        report = tmp_path / "report.json"
        done = subprocess.run(
            [sys.executable, "-c", _REPORT, str(report), code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return set(json.loads(report.read_text()))

    return run


def command(*argv: str | Path) -> str:
    """Return code that runs a command line in its own interpreter."""
    return f"from presence_tui.cli import run; assert run({[str(word) for word in argv]!r}) == 0"


def test_there_is_something_to_look_at() -> None:
    assert {"presence_core.presence", "presence_core.schema", "presence_core.model"} <= set(CORE)


def test_the_engine_loads_no_screen(loaded: Callable[[str], set[str]]) -> None:
    whole = loaded(f"import importlib; [importlib.import_module(name) for name in {CORE!r}]")
    assert not whole & {*SCREEN, "presence_tui", "bleak"}


@pytest.mark.parametrize("argv", [["--version"], ["version"], ["schema"], ["--help"]])
def test_what_needs_no_engine_loads_next_to_nothing(
    loaded: Callable[[str], set[str]], argv: list[str]
) -> None:
    assert not loaded(command(*argv)) & (SCREEN | HEAVY)


_FIRST_FRAME = """
import asyncio
from presence_tui.app import PresenceApp
from presence_tui.cli import build_parser
from presence_tui.commands.dashboard import opening_screen

async def run():
    opening = opening_screen(build_parser().parse_args({argv!r}))
    app = PresenceApp(opening)
    async with app.run_test():
        await opening.painted.wait()
        assert "joining" in app.export_screenshot() or "engines" in app.export_screenshot()

asyncio.run(run())
"""


@pytest.mark.parametrize("what", [["--name", "field-laptop"], ["--demo"]])
def test_the_first_frame_loads_no_engine_and_no_pane(
    loaded: Callable[[str], set[str]], tmp_path: Path, what: list[str]
) -> None:
    modules = loaded(_FIRST_FRAME.format(argv=["--home", str(tmp_path), *what]))
    assert "presence_tui.screens.opening" in modules
    engine = {"cryptography", "cbor2", "zeroconf", "bleak", "aiohttp", "segno"}
    assert not modules & (engine | {"presence_core.presence", "presence_core.model"})
    ours = {"screens.main", "screens.help", "widgets.peer_table", "system_commands", "demo"}
    assert not modules & {f"presence_tui.{name}" for name in ours}


_LOGGED_IN = """
import asyncio, pathlib
from presence_tui.identity_service.renewing import renewing

async def run():
    home = pathlib.Path({home!r})
    async with renewing(home):
        while not (home / "renewal.failed").exists():  # what it says of a damaged file
            await asyncio.to_thread(lambda: None)

asyncio.run(asyncio.wait_for(run(), {patience}))
"""


def test_renewal_is_loaded_once_somebody_has_logged_in(
    loaded: Callable[[str], set[str]], tmp_path: Path
) -> None:
    renewal = "presence_tui.identity_service.renewal"
    argv = ("--home", tmp_path, "--json", "--wait", "0", "--transport", "none")
    modules = loaded(command(*argv))
    assert "presence_tui.identity_service.renewing" in modules
    assert renewal not in modules
    (tmp_path / "login.json").write_text("{}")
    assert renewal in loaded(_LOGGED_IN.format(home=str(tmp_path), patience=PATIENCE))


def test_json_loads_no_screen_and_no_bluetooth(
    loaded: Callable[[str], set[str]], tmp_path: Path
) -> None:
    common = ["--home", str(tmp_path), "--json", "--wait", "0"]
    modules = loaded(command(*common, "--transport", "none"))
    assert "cryptography" in modules  # the engine did run
    assert not modules & {*SCREEN, "bleak", "zeroconf", "aiohttp"}
    address = ["--listen", "127.0.0.1:0", "--interface", loopback_name()]
    modules = loaded(command(*common, "--transport", "lan", *address))
    assert "zeroconf" in modules
    assert not modules & {*SCREEN, "bleak"}


UNUSED = {
    "argparse", "email", "gettext", "html", "http", "importlib.metadata", "importlib.resources",
    "multiprocessing", "optparse", "pickle", "platformdirs", "pydoc", "sqlite3", "statistics",
    "sysconfig", "tomllib", "unittest", "urllib.request", "uuid", "xml",
    "cryptography.hazmat.backends.openssl.backend", "cryptography.hazmat.primitives.ciphers",
    "presence_core.changes", "presence_core.schema",
}  # fmt: skip
"""What an engine has no use for as long as nobody asks for changes; each is memory in every one."""

IDENTITY = {
    "identity.issuer", "identity.token", "identity.verify",
    "engine.credentials", "engine.credential_files", "engine.identity_concerns",
}  # fmt: skip
"""What an engine loads with the first token, issuer or login."""

_ENGINE = """
import asyncio, pathlib
from presence_core import Presence, PresenceConfig

async def run(**options):
    config = PresenceConfig(home=pathlib.Path({home!r}), mesh="hygiene", **options)
    async with Presence(config) as presence:
        presence.observe(lambda graph: None)
        await presence.set_peer_metadata({{"location": "inside"}})

asyncio.run(run(listen="127.0.0.1:0", interfaces=({interface!r},)))
"""


def test_an_engine_loads_nothing_that_it_does_not_use(
    loaded: Callable[[str], set[str]], tmp_path: Path
) -> None:
    code = _ENGINE.format(home=str(tmp_path / "home"), interface=loopback_name())
    modules = loaded(code)
    assert {"zeroconf", "cryptography", "presence_core.engine.node"} <= modules  # it did run
    assert not modules & UNUSED
    identity = {f"presence_core.{name}" for name in IDENTITY}
    assert identity <= {*CORE}
    assert not modules & identity
    (tmp_path / "home" / "identity.token").touch()
    assert "presence_core.engine.credentials" in loaded(code)


def test_files_of_the_home_need_no_network(
    loaded: Callable[[str], set[str]], tmp_path: Path
) -> None:
    for argv in (
        ["key", "show"],
        ["key", "export"],
        ["mesh", "new"],
        ["metadata", "get"],
        ["trust", "list", "--json"],
        ["issuer", "list", "--json"],
        ["identity", "user", "list"],
    ):
        modules = loaded(command(*argv, "--home", tmp_path))
        assert not modules & {*SCREEN, "bleak", "zeroconf", "aiohttp"}, argv


@pytest.mark.skipif(adapter_present(), reason="this machine has a Bluetooth adapter, or may have")
def test_without_an_adapter_nothing_of_bluetooth_is_loaded(
    loaded: Callable[[str], set[str]], tmp_path: Path
) -> None:
    common = ["--home", str(tmp_path), "--json", "--wait", "0", "--transport", "ble"]
    modules = loaded(command(*common))
    assert "cryptography" in modules  # the engine did run
    assert not modules & {*SCREEN, "bleak", "dbus_fast", "zeroconf"}
    ours = {name for name in CORE if name.startswith("presence_core.transports.ble.")}
    ours -= {"presence_core.transports.ble.system"}
    ours |= {f"presence_core.{name}" for name in ("discovery.ble_advert", "engine.nearby")}
    ours |= {f"presence_core.engine.{name}" for name in ("ble", "ble_troubles")}
    assert ours <= {*CORE}
    assert not modules & ours
