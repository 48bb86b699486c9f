"""Challenges, rates, passwords, users, JSON and commits, each by itself."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.identity import home_file
from presence_core.identity.keyfile import HomeError
from presence_tui.identity_service import challenges, limits
from presence_tui.identity_service.challenges import ChallengeError, Challenges
from presence_tui.identity_service.commits import Commits
from presence_tui.identity_service.guard import network_of
from presence_tui.identity_service.limits import Limit, Rate
from presence_tui.identity_service.passwords import PasswordHash, PasswordThreads
from presence_tui.identity_service.providers import RefusedError
from presence_tui.identity_service.state import State
from presence_tui.identity_service.users import User, UsersFile, UsersProvider, check_user_name
from presence_tui.identity_service.wire import WireError, json_object
from tests.identity_service.support import PASSWORD, add_user

# -- challenges


def test_a_challenge_counts_once_and_for_a_minute() -> None:
    ours = Challenges()
    first, second = ours.new(100.0), ours.new(100.0)
    assert first != second
    ours.spend(first, 160.0)
    with pytest.raises(ChallengeError, match="used already"):
        ours.spend(first, 100.5)
    with pytest.raises(ChallengeError, match="older than 60 s"):
        ours.spend(second, 160.1)


@pytest.mark.parametrize("change", [lambda c: b"", lambda c: c[:-1], lambda c: c + b"\0"])
def test_what_is_no_challenge_is_refused(change: Any) -> None:
    ours = Challenges()
    with pytest.raises(ChallengeError, match="not of this service"):
        ours.spend(change(ours.new(0.0)), 0.0)


@given(st.integers(0, challenges.CHALLENGE_BYTES - 1), st.integers(1, 255))
def test_a_challenge_cannot_be_changed_nor_come_from_elsewhere(at: int, flip: int) -> None:
    ours = Challenges()
    challenge = bytearray(ours.new(1.0))
    challenge[at] ^= flip
    for forged in (bytes(challenge), Challenges().new(1.0)):
        with pytest.raises(ChallengeError, match="not of this service"):
            ours.spend(forged, 1.0)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenges, "MAX_SPENT", 10)
    ours = Challenges()
    for _ in range(10):
        ours.spend(ours.new(0.0), 0.0)
    with pytest.raises(ChallengeError, match="more logins"):
        ours.spend(ours.new(0.0), 0.0)
    for _ in range(1_000):
        ours.new(0.0)  # costs nothing
    ours.spend(ours.new(60.1), 60.1)
    assert len(ours._spent) == len(ours._order) == 1


# -- rates


def test_a_rate_allows_a_burst_and_then_its_pace() -> None:
    limit = Limit(Rate(2.0, 3.0))
    for _ in range(3):
        assert limit.wait("a", 10.0) == 0
        limit.count("a", 10.0)
    assert limit.wait("a", 10.0) == 0.5
    assert limit.wait("b", 10.0) == 0
    assert limit.wait("a", 10.5) == 0
    limit.forgive("a")
    assert limit.wait("a", 10.0) == 0
    assert limit.wait("a", 1_000.0) == 0
    limit.count("a", 1_000.0)
    assert limit.wait("a", 1_000.0) == 0


def test_who_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REMEMBERED", 5)
    limit = Limit(Rate(0.001, 1.0))
    for name in "abcdef":
        limit.count(name, 0.0)
    assert len(limit._left) == 5
    assert limit.wait("a", 0.0) == 0
    assert limit.wait("b", 0.0) > 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_a_network_counts_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


# -- passwords and users


async def test_a_password_fits_its_own_hash_only() -> None:
    hashed = await asyncio.to_thread(PasswordHash.of, PASSWORD)
    other = await asyncio.to_thread(PasswordHash.of, PASSWORD)
    assert hashed.salt != other.salt
    assert hashed.hash != other.hash
    assert PasswordHash.parse(hashed.text()) == hashed
    threads = PasswordThreads()
    assert await threads.fits(hashed, PASSWORD)
    assert not await threads.fits(hashed, PASSWORD + " ")
    assert not await threads.fits(None, PASSWORD)
    threads.close()


async def test_too_many_passwords_at_once_are_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("presence_tui.identity_service.passwords.MAX_WAITING", 2)
    threads = PasswordThreads()
    answers = await asyncio.gather(
        *(threads.fits(None, "x") for _ in range(3)), return_exceptions=True
    )
    assert answers[:2] == [False, False]
    assert isinstance(answers[2], RefusedError)
    assert answers[2].status == 503
    assert not await threads.fits(None, "x")
    threads.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1$2$3",
        "32768$8$1$$",
        "3$8$1$c2FsdHNhbHQ$" + "A" * 43,
        "1073741824$8$1$c2FsdHNhbHQ$" + "A" * 43,
        "32768$1000000$1$c2FsdHNhbHQ$" + "A" * 43,
        "-2$8$1$c2FsdHNhbHQ$" + "A" * 43,
        "x$8$1$c2FsdHNhbHQ$" + "A" * 43,
        None,
        7,
    ],
)
def test_an_absurd_hash_is_refused_before_it_is_computed(text: Any) -> None:
    with pytest.raises(ValueError, match="."):
        PasswordHash.parse(text)


def test_a_hash_is_not_shown() -> None:
    user = User("mina", PasswordHash(16, 1, 1, b"salt" * 4, b"h" * 32))
    assert "salt" not in repr(user)


@pytest.mark.parametrize("name", ["", "a:b", "x" * 257, "a\nb", " a", "a\u202eb", "\x1b[1m"])
def test_a_user_name_shows_as_it_is(name: str) -> None:
    with pytest.raises(ValueError, match="user name"):
        check_user_name(name)


def test_users_are_added_replaced_and_removed(tmp_path: Path) -> None:
    file, reader = UsersFile(tmp_path / "users"), UsersFile(tmp_path / "users")
    assert reader.load() == {}
    hashed = PasswordHash(16, 1, 1, b"s" * 16, b"h" * 32)
    assert file.add(User("øyvind", hashed, {"role": "medic"}))
    assert reader.load() == {"øyvind": User("øyvind", hashed, {"role": "medic"})}
    assert not file.add(User("øyvind", hashed))
    assert reader.load()["øyvind"].metadata == {}
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600
    assert file.remove("øyvind")
    assert not file.remove("øyvind")
    assert reader.load() == {}


def test_whoever_changes_the_users_waits_for_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, hashed = tmp_path / "users", PasswordHash(16, 1, 1, b"s" * 16, b"h" * 32)
    writers = [
        Thread(target=UsersFile(path).add, args=(User(name, hashed),)) for name in "abcdefgh"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(UsersFile(path).load()) == set("abcdefgh")
    monkeypatch.setattr(home_file, "LOCK_SECONDS", 0.1)
    with home_file.locked(path), pytest.raises(HomeError, match="being changed by another program"):
        UsersFile(path).remove("a")
    assert UsersFile(path).remove("a")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "not a JSON object"),
        ('{"user": "a"}', "a hash is"),
        ('{"user": "a:b", "scrypt": "x"}', "no colon"),
        ('{"user": 1, "scrypt": "x"}', "a user is"),
        ('{"user": "a", "scrypt": "x", "metadata": 3}', "a user is"),
        ('{"user": "a", "user": "b"}', "comes twice"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "users"
    add_user(tmp_path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(HomeError, match=f"line 3: .*{why}"):
        UsersFile(path).load()


def test_a_file_of_users_that_others_can_read_is_refused(tmp_path: Path) -> None:
    add_user(tmp_path)
    (tmp_path / "users").chmod(0o644)
    with pytest.raises(HomeError, match="chmod 600"):
        UsersFile(tmp_path / "users").load()


def test_a_user_comes_once(tmp_path: Path) -> None:
    add_user(tmp_path)
    path = tmp_path / "users"
    path.write_text(path.read_text() + path.read_text())
    with pytest.raises(HomeError, match="'mina' comes twice"):
        UsersFile(path).load()


async def test_who_is_no_longer_in_the_file_is_not_renewed(tmp_path: Path) -> None:
    await asyncio.to_thread(add_user, tmp_path)
    file, threads = UsersFile(tmp_path / "users"), PasswordThreads()
    provider = UsersProvider(file, threads)
    approved = await provider.authenticate("users", f"mina:{PASSWORD}")
    assert (approved.subject, approved.metadata) == ("mina", {"role": "medic"})
    assert (await provider.renewed("mina", {"role": "old"})).metadata == {"role": "medic"}
    await asyncio.to_thread(file.remove, "mina")
    for refused in (provider.renewed("mina", {}), provider.authenticate("users", "mina:x")):
        with pytest.raises(RefusedError):
            await refused
    await asyncio.to_thread((tmp_path / "users").write_text, "spoilt")
    with pytest.raises(RefusedError) as error:
        await provider.authenticate("users", f"mina:{PASSWORD}")
    assert error.value.status == 503
    threads.close()


# -- JSON


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{", "not valid JSON"),
        (b"{} x", "not valid JSON"),
        (b'{"a": 1, "a": 2}', "comes twice"),
        (b'{"a": NaN}', "finite"),
        (b'{"a": 1e999}', "finite"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "64 bits"),
        (b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "nested deeper"),
        (b'{"a": ' + b"[" * 60_000, "nested deeper"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\xff"}', "UTF-8"),
    ],
)
def test_bad_json_is_refused_in_one_line(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why) as error:
        json_object(data, "the request")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(0, 2**63), st.booleans())))
def test_json_objects_come_through(value: dict[str, Any]) -> None:
    assert json_object(json.dumps(value).encode(), "it") == value


# -- commits


async def test_work_is_done_together_and_each_gets_its_own_outcome(tmp_path: Path) -> None:
    state = await asyncio.to_thread(State.open_or_create, tmp_path, "team", "x", 1)
    commits = Commits(state)

    def note(number: int) -> Any:
        def work(state: State) -> int:
            row = (number.to_bytes(2), 1)
            state.connection.execute("INSERT INTO revoked_tokens VALUES (?, ?)", row)
            if number % 10 == 3:
                raise ValueError(number)
            return number

        return work

    outcomes = await asyncio.gather(
        *(commits.do(note(number)) for number in range(100)), return_exceptions=True
    )
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, ValueError) if number % 10 == 3 else outcome == number
    await commits.close()
    with pytest.raises(RefusedError):
        await commits.do(note(1))
    again = await asyncio.to_thread(State.open, tmp_path)
    (count,) = again.connection.execute("SELECT count(*) FROM revoked_tokens").fetchone()
    assert count == 90  # what failed has left nothing
    again.close()


async def test_a_disk_that_fails_is_said_to_all_who_wait(tmp_path: Path) -> None:
    state = await asyncio.to_thread(State.open_or_create, tmp_path, "team", "x", 1)
    commits = Commits(state)
    await commits.do(lambda state: state.connection.execute("PRAGMA max_page_count = 20"))

    def fill(state: State) -> None:
        row = (bytes(1_000_000), 1)
        state.connection.execute("INSERT INTO revoked_tokens VALUES (?, ?)", row)

    both = [commits.do(fill), commits.do(lambda state: state.revoke_peer(b"p" * 32, 2))]
    for outcome in await asyncio.gather(*both, return_exceptions=True):
        assert isinstance(outcome, sqlite3.OperationalError)
        assert "full" in str(outcome)
    assert not await commits.do(lambda state: state.is_revoked(b"p" * 32))
    assert await commits.do(lambda state: state.key_set().keys)
    await commits.close()
