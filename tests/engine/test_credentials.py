"""The token and the issuers of a home: real files, who wrote them, and what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from presence_core.engine.conditions import Conditions
from presence_core.engine.credentials import Credentials
from presence_core.identity.issuer import IssuerObjectError, SignedObject, object_text
from presence_core.identity.keyfile import HomeError
from presence_core.identity.keys import Identity
from presence_core.identity.token import token_text
from presence_core.identity.verdict import MISSING
from presence_core.model import ConditionState
from tests.authority import DAY, Authority

NOW = 1_790_000_000.0
ME = Identity.generate().peer_key


class Home:
    """A home without an engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.issuers = path / "issuers"
        self.issuers.mkdir(parents=True)
        self.authority = Authority()
        self.published: list[bytes | None] = []
        self.told: list[str] = []
        self.conditions = Conditions(lambda: datetime.now(UTC), lambda: None)

    def put(self, name: str, signed: SignedObject, mark: str = "") -> Path:
        path = self.issuers / name
        path.write_text(mark + object_text(signed))
        return path

    def credentials(self, *given: Path) -> Credentials:
        made = Credentials(
            self.path, given, self.conditions, publish=self.published.append, tell=self.told.append
        )
        made.open()
        return made

    def restarted(self, *given: Path) -> Credentials:
        return self.credentials(*given)

    def said(self, credentials: Credentials, wall: float = NOW) -> tuple[str, str] | None:
        """Return message and hint of the condition."""
        own = MISSING
        if credentials.token is not None:
            own = credentials.issuers.check(credentials.token, ME, wall)
        credentials.report(own, wall)
        for condition in self.conditions.all():
            if condition.state is not ConditionState.OK:
                assert condition.source == "identity"
                assert condition.message
                assert "\n" not in condition.message
                return condition.message, condition.hint or ""
        return None

    def numbers(self, credentials: Credentials) -> tuple[int, int | None] | None:
        found = [(i.number, i.revocation_number) for i in credentials.trusted()]
        return found[0] if found else None


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def learn(credentials: Credentials, *signed: SignedObject) -> None:
    """Take in what the mesh says, and write it down as at the end of a run."""
    for each in signed:
        credentials.issuers.take(each.raw)
        credentials.learned({each.issuer})
    asyncio.run(credentials.close())


def test_a_home_without_anything_is_silent(home: Home) -> None:
    credentials = home.credentials()
    assert credentials.token is None
    assert credentials.trusted() == ()
    assert home.said(credentials) is None


def test_what_was_learned_is_there_after_a_restart_though_its_key_is_out_of_use(
    home: Home,
) -> None:
    home.put("harbour.issuer", home.authority.key_set())
    credentials = home.credentials()
    revoked = home.authority.revoke(ME)
    second, third = home.authority.rotate(keep=1), home.authority.rotate(keep=1)
    learn(credentials, revoked, second, third)
    assert home.numbers(credentials) == (3, 1)
    assert home.numbers(home.restarted()) == (3, 1)
    assert sorted(path.name for path in home.issuers.iterdir()) == [
        "harbour.issuer",
        "harbour.revoked",
    ]
    assert (home.issuers / "harbour.issuer").read_text().startswith("# kept\n")
    assert home.said(home.restarted()) is None


def test_an_issuer_of_this_run_only_is_not_trusted_in_the_next(home: Home, tmp_path: Path) -> None:
    given = tmp_path / "elsewhere.issuer"
    given.write_text(object_text(home.authority.key_set()))
    learn(
        home.credentials(given),
        home.authority.revoke(ME),
        home.authority.rotate(keep=1),
        home.authority.rotate(keep=1),
    )
    files = list(home.issuers.iterdir())
    assert len(files) == 2
    assert all(path.read_text().startswith("# learned ") for path in files)
    assert home.restarted().trusted() == ()
    assert home.said(home.restarted()) is None
    assert home.numbers(home.restarted(given)) == (3, 1)


def test_what_was_learned_from_another_of_the_same_name_is_not_believed(
    home: Home, tmp_path: Path
) -> None:
    impostor = Authority(home.authority.name)
    given = tmp_path / "impostor.issuer"
    given.write_text(object_text(impostor.key_set()))
    learn(home.credentials(given), impostor.revoke(ME, number=1_000), impostor.rotate(keep=1))
    given.write_text(object_text(home.authority.key_set()))
    credentials = home.restarted(given)
    assert home.numbers(credentials) == (1, None)
    assert credentials.trusted()[0].key_ids == (home.authority.key.kid.hex(),)


def test_a_file_that_only_says_that_it_was_learned_trusts_nobody(home: Home) -> None:
    home.put("a.issuer", home.authority.key_set(), mark="# learned\n")
    home.put("b.issuer", Authority("Other").key_set(), mark="# learned 0123456789abcdef\n")
    assert home.credentials().trusted() == ()


def test_files_that_change_are_followed_and_the_neighbours_told(home: Home) -> None:
    credentials = home.credentials()
    path = home.put("harbour.issuer", home.authority.key_set())
    asyncio.run(credentials.follow(0.0))
    assert home.numbers(credentials) == (1, None)
    assert home.told == [home.authority.name]
    asyncio.run(credentials.follow(0.0))
    assert home.told == [home.authority.name]
    home.put("harbour.issuer", home.authority.rotate(keep=1))
    home.put("harbour.revoked", home.authority.revoke(ME))
    asyncio.run(credentials.follow(0.0))
    assert home.numbers(credentials) == (2, 1)
    assert home.told == [home.authority.name] * 2
    asyncio.run(credentials.follow(0.0))
    home.authority.rotate(keep=1)
    assert home.numbers(home.restarted()) == (2, 1)  # though neither file vouched for itself
    path.unlink()
    asyncio.run(credentials.follow(0.0))
    assert credentials.trusted() == ()


def test_another_issuer_of_the_same_name_takes_the_place_of_the_one_before(home: Home) -> None:
    home.put("harbour.issuer", home.authority.key_set())
    credentials = home.credentials()
    learn(credentials, home.authority.rotate(), home.authority.revoke(ME))
    other = Authority(home.authority.name)
    home.put("harbour.issuer", other.key_set())
    (home.issuers / "harbour.revoked").unlink()
    asyncio.run(credentials.follow(0.0))
    assert home.numbers(credentials) == (1, None)
    assert credentials.trusted()[0].key_ids == (other.key.kid.hex(),)


def test_who_trusts_another_of_the_same_name_by_a_program_is_rid_of_the_one_before(
    home: Home,
) -> None:
    home.put("harbour.issuer", home.authority.key_set())
    credentials = home.credentials()
    learn(credentials, home.authority.rotate(), home.authority.revoke(ME))
    other = Authority(home.authority.name)
    asyncio.run(credentials.trust(other.key_set().raw))
    for each in (credentials, home.restarted()):
        assert home.numbers(each) == (1, None)
        assert each.trusted()[0].key_ids == (other.key.kid.hex(),)
    assert len(list(home.issuers.iterdir())) == 1


def test_an_older_file_changes_nothing(home: Home) -> None:
    first, older = home.authority.key_set(), home.authority.revoke()
    home.put("harbour.issuer", first)
    credentials = home.credentials()
    learn(credentials, home.authority.rotate(), home.authority.revoke(ME))
    home.put("harbour.issuer", first)
    home.put("harbour.revoked", older)
    asyncio.run(credentials.follow(0.0))
    assert home.numbers(credentials) == (2, 2)
    asyncio.run(credentials.close())
    assert home.numbers(home.restarted()) == (2, 2)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.issuer", "nonsense!", "is not the key set"),
        ("x.issuer", "", "is not the key set"),
        ("x.issuer", "A" * 200_000, "is not the key set"),
        ("x.revoked", object_text(Authority("Other").key_set()), "something else"),
    ],
    ids=["nonsense", "empty", "large", "misnamed"],
)
def test_a_damaged_file_is_said_and_takes_nothing_away(
    home: Home, name: str, text: str, words: str
) -> None:
    home.put("harbour.issuer", home.authority.key_set())
    credentials = home.credentials()
    (home.issuers / name).write_text(text)
    asyncio.run(credentials.follow(0.0))
    said = home.said(credentials)
    assert said is not None
    assert words in said[0]
    assert str(home.issuers / name) in said[0]
    assert home.numbers(credentials) == (1, None)
    (home.issuers / "harbour.issuer").write_text("nonsense!")
    asyncio.run(credentials.follow(0.0))
    assert home.numbers(credentials) == (1, None)  # trusted until it is whole again, or gone
    (home.issuers / name).unlink()
    home.put("harbour.issuer", home.authority.key_set())
    asyncio.run(credentials.follow(0.0))
    assert home.said(credentials) is None


def test_a_set_that_nobody_vouches_for_is_said_and_not_trusted(home: Home) -> None:
    home.put("harbour.issuer", home.authority.rotate(keep=1))
    credentials = home.credentials()
    assert credentials.trusted() == ()
    said = home.said(credentials)
    assert said is not None
    assert "not signed by one of its own keys" in said[0]


@pytest.mark.parametrize("text", ["???", "A", "é"])
def test_a_damaged_token_is_said_and_the_one_before_stays(home: Home, text: str) -> None:
    path = home.path / "identity.token"
    token = home.authority.token(ME, NOW)
    path.write_text(token_text(token))
    home.put("harbour.issuer", home.authority.key_set())
    credentials = home.credentials()
    path.write_text(text)
    asyncio.run(credentials.follow(0.0))
    assert (credentials.token, home.published) == (token, [])
    said = home.said(credentials)
    assert said is not None
    assert str(path) in said[0]
    path.write_text("")
    asyncio.run(credentials.follow(0.0))
    assert (credentials.token, home.published) == (None, [None])
    assert home.said(credentials) is None


def test_given_files_must_be_of_use(home: Home, tmp_path: Path) -> None:
    given = tmp_path / "given"
    for text, words in (
        ("nonsense!", "is not the key set"),
        (object_text(home.authority.revoke()), "is a revocation list"),
        (object_text(home.authority.rotate(keep=1)), "not signed by one of its own keys"),
    ):
        given.write_text(text)
        with pytest.raises(HomeError, match=words) as error:
            home.credentials(given)
        assert str(given) in str(error.value)
        assert "\n" not in str(error.value)


def test_a_program_cannot_trust_what_is_no_key_set(home: Home) -> None:
    credentials = home.credentials()
    for raw in (home.authority.revoke().raw, b"nonsense", home.authority.rotate(keep=1).raw):
        with pytest.raises(IssuerObjectError):
            asyncio.run(credentials.trust(raw))
    assert list(home.issuers.iterdir()) == []


def test_what_is_wrong_with_one_file_is_said_until_that_one_is_right(home: Home) -> None:
    home.put("harbour.issuer", home.authority.rotate(keep=1))
    credentials = home.credentials()
    home.put("other.issuer", Authority("Other").key_set())
    asyncio.run(credentials.follow(0.0))
    said = home.said(credentials)
    assert said is not None
    assert "harbour.issuer" in said[0]
    assert [issuer.name for issuer in credentials.trusted()] == ["Other"]


def test_what_was_learned_and_cannot_be_kept_is_said_and_tried_again(home: Home) -> None:
    path = home.put("harbour.issuer", home.authority.key_set())
    credentials = home.credentials()
    path.with_suffix(".revoked").mkdir()
    learn(credentials, home.authority.revoke(ME))
    said = home.said(credentials)
    assert said is not None
    assert "cannot" in said[0]
    path.with_suffix(".revoked").rmdir()
    asyncio.run(credentials.follow(0.0))
    assert home.said(credentials) is None
    assert home.numbers(home.restarted()) == (1, 1)


def test_what_was_learned_for_one_run_is_kept_when_the_issuer_is_trusted_for_good(
    home: Home, tmp_path: Path
) -> None:
    given = tmp_path / "elsewhere.issuer"
    given.write_text(object_text(home.authority.key_set()))
    credentials = home.credentials(given)
    first = home.authority.key_set()
    learn(credentials, home.authority.revoke(ME))
    learn(credentials, home.authority.rotate(keep=1), home.authority.rotate(keep=1))
    asyncio.run(credentials.trust(first.raw))
    asyncio.run(credentials.close())
    assert home.numbers(home.restarted()) == (3, 1)


def test_a_list_that_was_here_before_its_issuer_is_taken_with_it(home: Home) -> None:
    home.put("harbour.revoked", home.authority.revoke(ME))
    credentials = home.credentials()
    asyncio.run(credentials.trust(home.authority.key_set().raw))
    assert home.numbers(credentials) == (1, 1)


def test_what_cannot_be_kept_is_not_trusted(home: Home) -> None:
    credentials = home.credentials()
    home.issuers.rmdir()
    home.issuers.write_text("in the way")
    with pytest.raises(HomeError):
        asyncio.run(credentials.trust(home.authority.key_set().raw))
    assert credentials.trusted() == ()


# -- what is said of the own token


def holding(home: Home, make: Callable[[Authority], bytes]) -> Credentials:
    home.put("harbour.issuer", home.authority.key_set())
    (home.path / "identity.token").write_text(token_text(make(home.authority)))
    return home.credentials()


def test_a_login_without_a_token_is_said(home: Home) -> None:
    (home.path / "login.json").write_text("{}")
    said = home.said(home.credentials())
    assert said is not None
    assert "publishes no identity token" in said[0]
    assert "presence-tui identity login" in said[1]


def test_the_last_quarter_of_a_tokens_life_is_said_then_that_it_ran_out(home: Home) -> None:
    credentials = holding(home, lambda a: a.token(ME, NOW, end=DAY))
    assert home.said(credentials, NOW + 0.74 * DAY) is None
    for wall, words in (
        (NOW + 0.76 * DAY, "runs out at"),
        (NOW + DAY + 10, "ran out at"),
        (NOW + DAY + 301, "ran out at"),
    ):
        said = home.said(credentials, wall)
        assert said is not None
        assert words in said[0]
        assert "presence-tui identity login" in said[1]


def test_why_a_token_is_not_renewed_is_said_with_what_to_do(home: Home) -> None:
    credentials = holding(home, lambda a: a.token(ME, NOW, end=DAY))
    why = home.path / "renewal.failed"
    why.write_text("cannot reach the identity service \x1b[31mhttps://h\nmore" + "e" * 10_000)
    asyncio.run(credentials.follow(2.0))
    assert home.said(credentials) is None  # who has not logged in has nothing to renew
    (home.path / "login.json").write_text("{}")
    asyncio.run(credentials.follow(2.0))
    said = home.said(credentials)
    assert said is not None
    assert "is not renewed: cannot reach the identity service [31mhttps://h more" in said[0]
    assert len(said[0]) < 600
    assert "tried again by itself" in said[1]
    assert home.said(home.restarted()) == said
    late = home.said(credentials, NOW + DAY + 301)
    assert late is not None
    assert late[0].index("ran out at") < late[0].index("is not renewed")
    why.unlink()
    asyncio.run(credentials.follow(2.0))
    assert home.said(credentials) is None


@pytest.mark.parametrize(
    ("make", "words", "hint"),
    [
        (lambda _: b"nonsense", "of no use", "identity login"),
        (lambda a: a.token(bytes(range(1, 33)), NOW), "belongs to another", "identity login"),
        (lambda _: Authority("Other").token(ME, NOW), "not trusted here", "issuer add"),
        (lambda a: a.token(ME, NOW, begin=1_000), "not valid before", "clock"),
    ],
    ids=["malformed", "key_mismatch", "unknown_issuer", "not_yet_valid"],
)
def test_a_token_that_others_do_not_believe_is_said(
    home: Home, make: Callable[[Authority], bytes], words: str, hint: str
) -> None:
    said = home.said(holding(home, make))
    assert said is not None
    assert words in said[0]
    assert hint in said[1]


def test_that_this_device_is_revoked_is_said(home: Home) -> None:
    credentials = holding(home, lambda a: a.token(ME, NOW))
    assert home.said(credentials) is None
    learn(credentials, home.authority.revoke(ME))
    said = home.said(credentials)
    assert said is not None
    assert "revoked" in said[0]
