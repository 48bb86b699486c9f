"""Flags win over environment, environment over the config file; errors name what to correct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presence_core.config import PresenceConfig
from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey
from presence_tui.cli import build_parser
from presence_tui.output import EXIT_CANNOT, EXIT_USAGE, CommandError
from presence_tui.settings import config_of, home_of


def configured(home: Path, *argv: str, file: str = "", **environment: str) -> PresenceConfig:
    """Return what an engine is told by flags, a config file and the environment."""
    if file:
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(file, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return config_of(build_parser().parse_args(["--home", str(home), *argv]))


def refusal(home: Path, *argv: str, code: int, file: str = "", **environment: str) -> str:
    with pytest.raises(CommandError) as error:
        configured(home, *argv, file=file, **environment)
    assert error.value.code == code
    assert "\n" not in str(error.value)
    return str(error.value)


def test_nothing_given_is_the_default(tmp_path: Path) -> None:
    assert configured(tmp_path) == PresenceConfig(home=tmp_path)


@pytest.mark.parametrize(
    ("field", "flag", "variable", "toml", "values"),
    [
        ("mesh", "--mesh", "PRESENCE_MESH", "mesh = '{}'", ("f", "e", "c")),
        ("name", "--name", "PRESENCE_NAME", "name = '{}'", ("f", "e", "c")),
        ("listen", "--listen", "PRESENCE_LISTEN", "listen = '{}'", ("h:1", "h:2", "h:3")),
        ("peers", "--peer", "PRESENCE_PEER", "peers = ['{}']", ("h:1", "h:2", "h:3")),
        ("interfaces", "--interface", "PRESENCE_INTERFACE", "interfaces = ['{}']", "abc"),
        ("transports", "--transport", "PRESENCE_TRANSPORT", "transports = ['{}']", ["lan"] * 3),
    ],
)
def test_precedence(
    tmp_path: Path, field: str, flag: str, variable: str, toml: str, values: tuple[str, ...]
) -> None:
    by_flag, by_variable, by_file = values
    file = toml.format(by_file)

    def got(*argv: str, **environment: str) -> Any:
        value = getattr(configured(tmp_path, *argv, file=file, **environment), field)
        return value[0] if isinstance(value, tuple) else value

    assert got() == by_file
    assert got(**{variable: by_variable}) == by_variable
    assert got(**{variable: ""}) == by_file  # an empty variable is none
    assert got(flag, by_flag, **{variable: by_variable}) == by_flag


def test_a_switch(tmp_path: Path) -> None:
    assert configured(tmp_path).require_identity is False
    assert configured(tmp_path, "--require-identity").require_identity is True
    assert configured(tmp_path, "peers", "--require-identity").require_identity is True
    assert configured(tmp_path, "--require-identity", "peers").require_identity is True
    for word, value in (("1", True), ("Yes", True), ("true", True), ("off", False), ("0", False)):
        got = configured(tmp_path, PRESENCE_REQUIRE_IDENTITY=word)
        assert got.require_identity is value
    by_file = "require_identity = true"
    assert configured(tmp_path, file=by_file).require_identity is True
    assert configured(tmp_path, "--no-require-identity", file=by_file).require_identity is False
    said = refusal(tmp_path, code=EXIT_USAGE, PRESENCE_REQUIRE_IDENTITY="perhaps")
    assert said.startswith("PRESENCE_REQUIRE_IDENTITY must be one of")


def test_lists(tmp_path: Path) -> None:
    assert configured(tmp_path, "--peer", "a:1", "--peer", "b:2").peers == ("a:1", "b:2")
    assert configured(tmp_path, PRESENCE_PEER="a:1, b:2,").peers == ("a:1", "b:2")
    assert configured(tmp_path, "--transport", "lan,lan").transports == ("lan",)
    assert configured(tmp_path, "--transport", "none").transports == ()
    assert configured(tmp_path, file="transports = []").transports == ()
    both = configured(tmp_path, "--peer", "a:1", "peers", "--peer", "b:2")
    assert both.peers == ("a:1", "b:2")


def test_one_way_to_name_the_mesh_replaces_the_other(tmp_path: Path) -> None:
    key_file = tmp_path / "team.key"
    mesh = MeshKey.generate("team")
    write_mesh_key(key_file, mesh)
    home = tmp_path / "home"
    by_name = configured(home, "--mesh", "open", PRESENCE_MESH_KEY_FILE=str(key_file))
    assert (by_name.mesh, by_name.mesh_key) == ("open", None)
    by_key = configured(home, file="mesh = 'open'", PRESENCE_MESH_KEY_FILE=str(key_file))
    assert (by_key.mesh, by_key.mesh_key) == (None, mesh)
    said = refusal(home, "--mesh", "x", "--mesh-key-file", str(key_file), code=EXIT_USAGE)
    assert "--mesh-key-file" in said
    file = f"mesh = 'x'\nmesh_key_file = '{key_file}'"
    assert "config.toml" in refusal(home, file=file, code=EXIT_CANNOT)


def test_paths_in_the_config_file_are_relative_to_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    mesh = MeshKey.generate("team")
    write_mesh_key(home / "team.key", mesh)
    (home / "about.json").write_text('{"a": 1}')
    (home / "issuer.json").write_text("{}")
    file = (
        "mesh_key_file = 'team.key'\nmetadata = '@about.json'\nissuers = ['issuer.json']\n"
        "interfaces = ['lo']"
    )
    config = configured(home, file=file)
    assert config.mesh_key == mesh
    assert config.metadata == {"a": 1}
    assert config.issuers == (home / "issuer.json",)


def test_metadata_of_the_config_file_is_only_where_one_starts(tmp_path: Path) -> None:
    file = "[metadata]\nrole = 'medic'"
    assert configured(tmp_path, file=file).metadata == {"role": "medic"}
    (tmp_path / "metadata.json").write_text('{"role": "edited"}')
    assert configured(tmp_path, file=file).metadata is None
    assert configured(tmp_path, "--metadata", "{}", file=file).metadata == {}
    assert configured(tmp_path, file=file, PRESENCE_METADATA='{"b": 2}').metadata == {"b": 2}


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("nmae = 'x'", "unknown key 'nmae'; known: interfaces, "),
        ("name = 3", "name must be a text"),
        ("peers = 'a:1'", "peers must be a list of texts"),
        ("peers = [1]", "peers must be a list of texts"),
        ("transports = 'lan'", "transports must be a list of texts"),
        (
            "transports = ['smoke']",
            "transports: unknown transport 'smoke'; this version has: lan, ble",
        ),
        ("listen = 'h:99999'", "listen: 'h:99999' has no valid port"),
        ("peers = ['h:0']", "peers: 'h:0' cannot be dialled"),
        ("mesh = ''", "mesh: the name of the mesh is empty"),
        ("name = ", "is not valid TOML"),
        ("name = '\udcff'", "is not valid TOML"),
        ("metadata = 3", "metadata must be a table, JSON text or @FILE"),
        ("metadata = '[]'", "metadata: metadata must be a JSON object, not a list"),
        ("metadata = '@nothing'", "metadata: cannot read nothing: No such file"),
        ("[metadata]\nwhen = 2026-11-24", "metadata: "),
        ("issuers = ['nothing']", "issuers: there is no file"),
        ("require_identity = 'yes'", "require_identity must be true or false"),
        ("mesh_key_file = 'nothing'", "there is no mesh key file"),
    ],
)
def test_a_broken_config_file_is_named(tmp_path: Path, file: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(file.encode("utf-8", "surrogateescape"))
    said = refusal(tmp_path, code=EXIT_CANNOT)
    assert words in said
    assert str(tmp_path) in said


def test_a_config_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    assert "config.toml: Is a directory" in refusal(tmp_path, code=EXIT_CANNOT)


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--transport", "smoke", "unknown transport 'smoke'"),
        ("--transport", "", "--transport: "),
        ("--listen", "[::1", "write [IPV6]:PORT"),
        ("--listen", "::1", "IPv6 in brackets"),
        ("--peer", "a:b", "no valid port"),
        ("--peer", "", "is empty"),
        ("--mesh", " ", "is empty"),
        ("--name", "", "is empty"),
        ("--name", "\udcff", "not valid Unicode"),
        ("--mesh", "\udcff", "not valid Unicode"),
        ("--interface", "", "is empty"),
        ("--metadata", "{", "not valid JSON: "),
        ("--metadata", "@nothing", "cannot read nothing: No such file"),
        ("--issuer", "nothing", "there is no file nothing"),
    ],
)
def test_a_wrong_setting_names_where_it_came_from(
    tmp_path: Path, flag: str, value: str, words: str
) -> None:
    said = refusal(tmp_path, flag, value, code=EXIT_USAGE)
    assert said.startswith(f"{flag}: ")
    assert words in said
    if value.strip() and value.isascii():
        variable = "PRESENCE_" + flag[2:].upper()
        said = refusal(tmp_path, code=EXIT_USAGE, **{variable: value})
        assert said.startswith(f"{variable}: ")


def test_a_mesh_key_file_must_be_private(tmp_path: Path) -> None:
    key_file = tmp_path / "team.key"
    write_mesh_key(key_file, MeshKey.generate("team"))
    key_file.chmod(0o640)
    said = refusal(tmp_path, "--mesh-key-file", str(key_file), code=EXIT_CANNOT)
    assert f"chmod 600 {key_file}" in said


def test_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = build_parser().parse_args
    monkeypatch.setenv("PRESENCE_HOME", str(tmp_path / "by-variable"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert home_of(parse([])) == tmp_path / "by-variable"
    assert home_of(parse(["--home", "~/here"])) == tmp_path / "user" / "here"
    monkeypatch.delenv("PRESENCE_HOME")
    assert home_of(parse([])).name == "presence-tui"
    with pytest.raises(CommandError, match="--home ~nobody-here/x"):
        home_of(parse(["--home", "~nobody-here/x"]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("peers", "host:1"),
        ("peers", (1,)),
        ("peers", ("host:70000",)),
        ("listen", 8080),
        ("listen", "host:port"),
        ("interfaces", "lo"),
        ("transports", ("smoke",)),
        ("name", ""),
        ("name", "\ud800"),
        ("mesh", ""),
        ("require_identity", "yes"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        PresenceConfig(**{field: value})
    assert "\n" not in str(error.value)


def test_a_mesh_is_given_once() -> None:
    with pytest.raises(ValueError, match="not both"):
        PresenceConfig(mesh="x", mesh_key=MeshKey.generate("y"))
