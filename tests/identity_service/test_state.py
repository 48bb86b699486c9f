"""The state of a service: what it signs is what others take, and it is there after a restart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from presence_core.identity.issuer import MAX_PEER_KEYS, IssuerObjectError, KeySet
from presence_core.identity.issuers import Issuers
from presence_core.identity.keyfile import HomeError
from presence_core.identity.keys import Identity
from presence_core.identity.verdict import Taken
from presence_core.model import IdentityStatus
from presence_tui.identity_service.database import DATABASE_FILE, connect, transaction
from presence_tui.identity_service.state import Issued, Login, State, new_token_id

NOW = 1_800_000_000
DAY = 86_400
PEER = Identity.from_private_bytes(b"p" * 32).peer_key
OTHER = Identity.from_private_bytes(b"o" * 32).peer_key


def create(folder: Path, issuer: str | None = "team") -> State:
    return State.open_or_create(folder, issuer, "this host", NOW)


def issue(
    state: State,
    *,
    now: int = NOW,
    expires_at: int | None = None,
    login: Login | None = None,
    peer_key: bytes = PEER,
) -> Issued:
    token_id = new_token_id()
    ends = expires_at or now + DAY
    with transaction(state.connection):
        return state.issue(
            login=login or Login(token_id, "mina", "users", now, now + 7 * DAY),
            token_id=token_id,
            peer_key=peer_key,
            metadata={"role": "medic"},
            now=now,
            expires_at=ends,
        )


def rotate(state: State, now: int = NOW) -> KeySet:
    with transaction(state.connection):
        return state.rotate(now)


def status(issuers: Issuers, token: bytes, now: float = NOW, peer: bytes = PEER) -> IdentityStatus:
    return issuers.check(token, peer, now).identity.status


def test_what_it_signs_is_taken_by_others(tmp_path: Path) -> None:
    state = create(tmp_path)
    issued = issue(state)
    others = Issuers()
    assert others.trust(state.key_set()) is Taken.NEWS
    assert others.take(state.revocations().raw) == (Taken.NEWS, "")
    verdict = others.check(issued.token, PEER, NOW)
    assert verdict.identity.status is IdentityStatus.VERIFIED
    assert verdict.identity.issuer == "team"
    assert verdict.identity.subject == "mina"
    assert verdict.metadata == {"role": "medic"}
    state.close()


def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    state = create(tmp_path)
    issued, keys, revoked = issue(state), state.key_set().raw, state.revocations().raw
    state.close()
    again = State.open_or_create(tmp_path, None, "another host", NOW + 1)
    assert (again.issuer, again.key_set().raw, again.revocations().raw) == ("team", keys, revoked)
    assert again.login_of(issued.token_id) == issued.login
    assert again.login_of(b"never issued") is None
    again.close()


def test_the_issuer_is_called_after_the_host_unless_named(tmp_path: Path) -> None:
    state = create(tmp_path, None)
    assert state.issuer == "this host"
    state.close()


def test_an_issuer_is_not_renamed(tmp_path: Path) -> None:
    create(tmp_path).close()
    with pytest.raises(HomeError, match="called 'team'; leave out --issuer-name"):
        create(tmp_path, "crew")


def test_files_are_private_and_refused_when_they_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    state = create(folder)
    issue(state)
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    state.close()
    (folder / DATABASE_FILE).chmod(0o640)
    with pytest.raises(HomeError, match="can be read by others .*chmod 600"):
        State.open(folder)


def test_a_folder_without_a_service_is_named(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="no identity service in"):
        State.open(tmp_path)
    assert not list(tmp_path.iterdir())
    connect(tmp_path, create=True).close()
    with pytest.raises(HomeError, match="never started"):
        State.open(tmp_path)


def test_a_newer_or_damaged_file_is_left_alone(tmp_path: Path) -> None:
    create(tmp_path).close()
    path = tmp_path / DATABASE_FILE
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HomeError, match="newer presence-tui"):
        State.open(tmp_path)
    path.write_bytes(b"not a data base" * 100)
    with pytest.raises(HomeError, match="restore it from a back-up"):
        State.open(tmp_path)
    assert path.read_bytes() == b"not a data base" * 100


def test_no_id_is_used_twice(tmp_path: Path) -> None:
    state = create(tmp_path)
    first = issue(state)
    with pytest.raises(sqlite3.IntegrityError), transaction(state.connection):
        state.issue(
            login=first.login,
            token_id=first.token_id,
            peer_key=OTHER,
            metadata={},
            now=NOW,
            expires_at=NOW + DAY,
        )
    state.close()


# -- rotation


def test_after_a_rotation_the_announced_key_signs(tmp_path: Path) -> None:
    state = create(tmp_path)
    before, old = state.key_set(), issue(state)
    after = rotate(state)
    new = issue(state)
    assert after.number == before.number + 1
    assert after.keys[:2] == before.keys
    early = Issuers()  # who has not heard of the rotation knows the key that signs now
    early.trust(before)
    assert status(early, old.token) is IdentityStatus.VERIFIED
    assert status(early, new.token) is IdentityStatus.VERIFIED
    assert early.take(after.raw) == (Taken.NEWS, "")
    assert early.take(state.revocations().raw) == (Taken.NEWS, "")
    state.close()


def test_who_missed_many_rotations_takes_the_last_one(tmp_path: Path) -> None:
    state = create(tmp_path)
    issuers = Issuers()
    issuers.trust(state.key_set())
    issue(state)  # keeps the first key in the set
    for number in range(10):
        rotate(state, NOW + number)
        issue(state, now=NOW + number)
    last = state.key_set()
    assert issuers.take(last.raw) == (Taken.NEWS, "")
    assert status(issuers, issue(state).token) is IdentityStatus.VERIFIED
    assert Issuers().trust(last) is Taken.NEWS  # and by itself it is signed by one of its own keys
    state.close()


def test_an_old_key_goes_when_its_last_token_has_run_out(tmp_path: Path) -> None:
    state = create(tmp_path)
    first = state.key_set().keys[0]
    issue(state)
    assert first in rotate(state, NOW + 10).keys
    issue(state, now=NOW + 10, expires_at=NOW + 20)
    assert first in rotate(state, NOW + DAY).keys  # leeway: it may still be believed
    assert first not in rotate(state, NOW + DAY + 301).keys
    state.close()


def test_a_set_that_is_full_of_keys_with_living_tokens_is_not_rotated(tmp_path: Path) -> None:
    state = create(tmp_path)
    issue(state)
    for _ in range(14):
        rotate(state)
        issue(state)
    full = state.key_set()
    assert len(full.keys) == 16
    with pytest.raises(HomeError, match="rotate again when"):
        rotate(state)
    assert state.key_set() == full
    assert status(state.issuers, issue(state).token) is IdentityStatus.VERIFIED
    state.close()


def test_what_another_process_changes_counts_at_once(tmp_path: Path) -> None:
    state = create(tmp_path)
    first = issue(state)
    beside = State.open(tmp_path)
    after = rotate(beside)
    assert issue(state).token != first.token
    assert state.key_set() == after
    with transaction(beside.connection):
        beside.revoke_peer(PEER, NOW)
    assert state.is_revoked(PEER)
    assert status(state.issuers, first.token) is IdentityStatus.REVOKED
    beside.close()
    state.close()


# -- revocation


def test_a_revoked_peer_is_revoked_for_good(tmp_path: Path) -> None:
    state = create(tmp_path)
    issued, other = issue(state), issue(state, peer_key=OTHER)
    with transaction(state.connection):
        first = state.revoke_peer(PEER, NOW)
        second = state.revoke_peer(OTHER, NOW)
    assert second.number == first.number + 1
    assert second.peer_keys == {PEER, OTHER}
    for peer, token in ((PEER, issued.token), (OTHER, other.token)):
        assert status(state.issuers, token, peer=peer) is IdentityStatus.REVOKED
    state.close()


def test_a_revoked_token_takes_those_of_the_same_login_along(tmp_path: Path) -> None:
    state = create(tmp_path)
    first = issue(state)
    renewed = issue(state, login=first.login)
    elsewhere = issue(state)
    with transaction(state.connection):
        listed = state.revoke_token(first.token_id, NOW)
    assert listed.token_ids == {first.token_id, renewed.token_id}
    assert status(state.issuers, renewed.token) is IdentityStatus.REVOKED
    assert status(state.issuers, elsewhere.token) is IdentityStatus.VERIFIED
    state.close()


def test_a_revoked_token_leaves_the_list_when_it_has_run_out(tmp_path: Path) -> None:
    state = create(tmp_path)
    issued = issue(state)
    with transaction(state.connection):
        assert state.revoke_token(issued.token_id, NOW).token_ids
        assert state.revoke_peer(OTHER, NOW + DAY + 3_600).token_ids
        assert not state.revoke_peer(OTHER, NOW + 2 * DAY + 1).token_ids
    state.close()


def test_a_token_that_is_not_known_can_be_revoked(tmp_path: Path) -> None:
    """A data base that was restored from a back-up has lost the tokens since then."""
    state = create(tmp_path)
    with transaction(state.connection):
        assert state.revoke_token(b"lost", NOW).token_ids == {b"lost"}
    state.close()


def test_a_list_without_room_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    state = create(tmp_path)
    keys = [(Identity.generate().peer_key,) for _ in range(MAX_PEER_KEYS)]
    with transaction(state.connection):
        state.connection.executemany("INSERT INTO revoked_peers VALUES (?)", keys)
        full = state.revoke_peer(keys[0][0], NOW)
    with pytest.raises(IssuerObjectError), transaction(state.connection):
        state.revoke_peer(PEER, NOW)
    assert state.revocations() == full
    assert not state.is_revoked(PEER)
    state.close()


def test_what_ran_out_is_forgotten(tmp_path: Path) -> None:
    state = create(tmp_path)
    old, new = issue(state), issue(state, expires_at=NOW + 2 * DAY)
    with transaction(state.connection):
        state.forget_expired(NOW + DAY + 1)
    assert state.login_of(old.token_id) is None
    assert state.login_of(new.token_id) == new.login
    state.close()


# -- back-ups


def test_after_a_back_up_is_restored_what_it_signs_is_newer_than_all_before(
    tmp_path: Path,
) -> None:
    state = create(tmp_path / "now")
    backup = sqlite3.connect(tmp_path / "copy")
    state.connection.backup(backup)
    backup.close()
    others = Issuers()
    others.trust(state.key_set())
    issue(state)
    for number in range(5):
        assert others.take(rotate(state, NOW + number).raw)[0] is Taken.NEWS
        with transaction(state.connection):
            state.revoke_peer(OTHER, NOW + number)
    assert others.take(state.revocations().raw)[0] is Taken.NEWS
    state.close()
    (tmp_path / "restored").mkdir(mode=0o700)
    (tmp_path / "copy").rename(tmp_path / "restored" / DATABASE_FILE)
    (tmp_path / "restored" / DATABASE_FILE).chmod(0o600)
    again = State.open_or_create(tmp_path / "restored", "team", "x", NOW + 60)
    with transaction(again.connection):
        again.revoke_peer(PEER, NOW + 60)
    assert others.take(again.revocations().raw) == (Taken.NEWS, "")
    assert others.take(rotate(again, NOW + 61).raw) == (Taken.NEWS, "")
    issued = issue(again, peer_key=OTHER)
    assert status(others, issued.token, peer=OTHER) is IdentityStatus.VERIFIED
    again.close()


def test_a_clock_that_was_set_back_takes_no_number_twice(tmp_path: Path) -> None:
    state = create(tmp_path)
    numbers = [rotate(state, NOW - 1_000 * step).number for step in range(5)]
    assert numbers == [NOW + 1, NOW + 2, NOW + 3, NOW + 4, NOW + 5]
    state.close()
