"""The rules of the house that no other tool watches over (CONTRIBUTING.md says them in words)."""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from presence_core import __version__
from presence_tui.cli import build_parser

ROOT = Path(__file__).parents[1]
CODE = (ROOT / "core" / "presence_core", ROOT / "presence_tui")

LINES = 450
"""DESIGN says: past about 400 lines, look whether a file has become two. Here is the end of it."""


# In pieces, so that this file does not break its own rule.
FOREIGN = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "deb.debian" + ".org",
    "registry." + "npmjs",
    "crates" + ".io",
    "proxy." + "golang",
    "--index" + "-url",
    "/work" + "/",
    "/root" + "/",
)


def tracked() -> list[Path]:
    """Return the files of the project: those git knows, or all of them where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def words_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    found = []
    for path in tracked():
        content = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{shown(path)}: {host}" for host in FOREIGN if host in content]
    assert not found


def _wanted() -> set[str]:
    """Return the names of everything that the environment of `make test` consists of."""
    waiting = [Requirement("presence-tui[test,check,screenshots]")]
    done: set[tuple[str, str]] = set()
    names: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            pytest.skip(f"{name} is not installed: this is not the environment of make test")
        names.add(name)
        for extra in ("", *requirement.extras):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            for text in needed:
                wanted = Requirement(text)
                if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                    waiting.append(wanted)
    return names


def _pinned() -> dict[str, str]:
    lines = [line for line in words_of("constraints.txt").splitlines() if line[:1] not in ("", "#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "NAME==VERSION, no more"
    pins = [line.split("==") for line in lines]
    return {canonicalize_name(name): version for name, version in pins}


def test_constraints_name_every_package_that_is_installed() -> None:
    build = tomllib.loads(words_of("pyproject.toml"))["build-system"]["requires"]
    needed = {canonicalize_name(Requirement(text).name) for text in build}
    missing = (_wanted() | needed) - _pinned().keys() - {"presence-tui"}
    assert not missing


def test_every_folder_of_code_is_a_package_that_says_what_it_is() -> None:
    silent = []
    for folder in {path.parent for path in python_files(*CODE)}:
        init = folder / "__init__.py"
        if not init.exists() or not ast.get_docstring(ast.parse(init.read_text("utf-8"))):
            silent.append(shown(folder))
    assert not silent


def test_no_file_has_become_two_rooms() -> None:
    lengths = {
        shown(path): len(path.read_text("utf-8").splitlines()) for path in python_files(*CODE)
    }
    assert not {name: n for name, n in lengths.items() if n > LINES}


def test_nothing_is_named_after_what_it_is_not() -> None:
    vague = re.compile(r"Manager|Helper|Util(s|ities)?$")
    found = [
        f"{shown(path)}: {node.name}"
        for path in python_files(*CODE, ROOT / "tests", ROOT / "benchmarks")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and vague.search(node.name)
    ]
    assert not found


def test_nothing_is_left_to_do_in_a_comment() -> None:
    mark = re.compile(r"#.*\b(TO" + "DO|FIX" + "ME|XX" + r"X)\b")
    found = [
        f"{shown(path)}:{number}"
        for path in tracked()
        if path.suffix in {".py", ".tcss", ".toml"}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if mark.search(line)
    ]
    assert not found


# -- tests wait for what they want to see, and never judge the speed of the machine

_CLOCKS = {"monotonic", "perf_counter", "process_time", "monotonic_ns", "perf_counter_ns", "time"}


def _reads_clock(node: ast.AST, tainted: set[str]) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in tainted:
            return True
        if isinstance(part, ast.Call):
            name = getattr(part.func, "attr", getattr(part.func, "id", ""))
            if name in _CLOCKS:
                return True
    return False


def _sins(tree: ast.AST) -> list[tuple[int, str]]:
    """Return line and kind of each fixed sleep, and of each upper bound on the clock."""
    found = []
    tainted: set[str] = set()
    for node in ast.walk(tree):  # breadth first: an assignment comes before what is nested deeper
        if isinstance(node, ast.Assign) and _reads_clock(node.value, tainted):
            tainted |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}:
            found.append((node.lineno, "time.sleep"))
        if isinstance(node, ast.Assert):
            for test in [part for part in ast.walk(node.test) if isinstance(part, ast.Compare)]:
                sides = [test.left, *test.comparators]
                for (left, right), operator in zip(pairwise(sides), test.ops, strict=True):
                    if isinstance(operator, ast.Lt | ast.LtE):
                        small, great = left, right
                    elif isinstance(operator, ast.Gt | ast.GtE):
                        small, great = right, left
                    else:
                        continue
                    if _reads_clock(small, tainted) and not _reads_clock(great, tainted):
                        found.append((node.lineno, "upper bound on the clock"))
    return found


@pytest.mark.parametrize(
    ("code", "sins"),
    [
        ("time.sleep(1)", 1),
        ("await asyncio.sleep(0)", 0),
        ("t = time.monotonic()\nassert time.monotonic() - t < 3", 1),
        ("t = time.perf_counter()\nd = time.perf_counter() - t\nassert 3 >= d", 1),
        ("t = time.monotonic()\nassert time.monotonic() > t", 0),
        ("t = time.monotonic()\nassert time.monotonic() - t >= 3", 0),
        ("assert record.seq < 3", 0),
    ],
)
def test_the_lint_of_tests_knows_a_sin_when_it_sees_one(code: str, sins: int) -> None:
    assert len(_sins(ast.parse(code))) == sins


def test_tests_neither_sleep_nor_judge_the_speed_of_the_machine() -> None:
    found = [
        f"{shown(path)}:{line} {sin}"
        for path in python_files(ROOT / "tests")
        for line, sin in _sins(ast.parse(path.read_text("utf-8")))
    ]
    assert not found


# -- papers


def test_the_licence_is_here_and_whole() -> None:
    text = words_of("LICENSE")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_readme_names_every_command_and_what_make_offers_first() -> None:
    readme = words_of("README.md")
    commands = next(
        action.choices
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    missing = [name for name in commands if f"presence-tui {name}" not in readme]
    missing += [name for name in ("make demo", "make test") if name not in readme]
    assert not missing


def test_the_changelog_knows_this_version() -> None:
    changelog = words_of("CHANGELOG.md")
    assert "## [Unreleased]" in changelog or f"## [{__version__}]" in changelog


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_inside_the_project_lead_somewhere(name: str) -> None:
    targets = re.findall(
        r"\]\((?!https?:|#)([^)#\s]+)|(?:src|href)=\"(?!https?:|#)([^\"#]+)\"", words_of(name)
    )
    dead = [one or other for one, other in targets if not (ROOT / (one or other)).exists()]
    assert not dead


def test_make_says_what_each_target_does() -> None:
    makefile = words_of("Makefile")
    declared = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert declared is not None
    said = re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)
    assert sorted(declared[1].split()) == sorted(said)
