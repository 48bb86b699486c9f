"""The trust file: what it says, how it is changed, and that nobody's lines are lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.identity import home_file, trust_file
from presence_core.identity.keyfile import HomeError
from presence_core.identity.keys import Identity, peer_key_text
from presence_core.identity.trust import MAX_ACQUAINTANCES, Acquaintance, TrustBook
from presence_core.identity.trust_file import TrustFile
from presence_core.model import Trust
from tests.support import PATIENCE

WHEN = datetime(2026, 11, 30, 16, 2, 2, tzinfo=UTC)
KEYS = [Identity.from_private_bytes(bytes([n] * 32)).peer_key for n in range(1, 9)]
ANA, BEN, EVE = KEYS[:3]


def met(key: bytes, state: Trust = Trust.SEEN, **more: object) -> Acquaintance:
    return Acquaintance(key, state, WHEN, **more)  # type: ignore[arg-type]


def line(key: bytes, rest: str) -> str:
    return f"{peer_key_text(key)} {rest}"


def test_a_line_says_all_that_is_known_in_words() -> None:
    ana = met(
        ANA,
        Trust.VERIFIED,
        verified=WHEN + timedelta(days=1),
        name='Ana "the\tboat"',
        subject="ana",
        issuer="relief.example",
        run=17,
    )
    expected = (
        'verified 2026-11-30T16:02:02Z 2026-12-01T16:02:02Z name="Ana \\"the\\tboat\\"" '
        'subject="ana" issuer="relief.example" run=17'
    )
    assert ana.line() == line(ANA, expected)
    assert Acquaintance.parse(ana.line()) == ana
    plain = met(BEN, Trust.BLOCKED)
    assert plain.line() == line(BEN, "blocked 2026-11-30T16:02:02Z")
    assert Acquaintance.parse(plain.line()) == plain


def test_a_person_may_write_a_line_by_hand() -> None:
    typed = f'  {peer_key_text(ANA).upper()}  blocked 2026-11-30T17:02:02+01:00  name="Ana"  '
    assert Acquaintance.parse(typed) == met(ANA, Trust.BLOCKED, name="Ana")


@settings(deadline=None)
@given(
    state=st.sampled_from([Trust.SEEN, Trust.VERIFIED, Trust.BLOCKED]),
    texts=st.tuples(*[st.none() | st.text(st.characters(codec="utf-8"), max_size=40)] * 3),
    run=st.integers(0, 2**64 - 1),
    days=st.integers(0, 2_000_000),
)
def test_whatever_peers_call_themselves_comes_back_and_is_one_line_of_ascii(
    state: Trust, texts: tuple[str | None, str | None, str | None], run: int, days: int
) -> None:
    name, subject, issuer = texts
    first = WHEN + timedelta(days=days)
    one = Acquaintance(ANA, state, first, None, name, subject, issuer, run)
    text = one.line()
    assert text.isascii()
    assert text.isprintable()
    assert Acquaintance.parse(text) == one


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("pk1qqqq seen 2026-11-30T16:02:02Z", "not a peer key"),
        (line(bytes(32), "seen 2026-11-30T16:02:02Z"), "small order"),
        (line(ANA, "trusted 2026-11-30T16:02:02Z"), "'trusted' is none of seen, verified, blocked"),
        (line(ANA, "unknown 2026-11-30T16:02:02Z"), "none of seen"),
        (line(ANA, "seen"), "not of the form"),
        (line(ANA, 'seen name="x"'), "date on which it was first seen is missing"),
        (line(ANA, "seen yesterday"), "'yesterday' is not a date"),
        (line(ANA, "seen 2026-11-30T16:02:02"), "is not a date"),
        (line(ANA, "seen 0001-01-01T00:00:00+23:59"), "is not a date"),
        (line(ANA, 'seen 2026-11-30T16:02:02Z name="x'), "not of the form"),
        (line(ANA, "seen 2026-11-30T16:02:02Z name=x"), "not a text in double quotes"),
        (line(ANA, "seen 2026-11-30T16:02:02Z name=7"), "not a text in double quotes"),
        (line(ANA, 'seen 2026-11-30T16:02:02Z name="\\ud800"'), "not a text in double quotes"),
        (line(ANA, "seen 2026-11-30T16:02:02Z run=-1"), "not the number of a run"),
        (line(ANA, "seen 2026-11-30T16:02:02Z run=" + "9" * 21), "not the number of a run"),
    ],
)
def test_a_line_that_cannot_be_read_says_why_and_is_kept(words: str, why: str) -> None:
    good = met(BEN, name="Ben").line()
    text = f"# our team\n{words}\n{good}\n"
    book = TrustBook.parse(text)
    assert [one.key for one in book] == [BEN]
    (damage,) = book.damage
    assert damage.startswith("line 2: ")
    assert why in damage
    book.put(met(EVE))
    assert book.text() == f"{text}{met(EVE).line()}\n"
    assert TrustBook.parse(book.text()).damage == book.damage


GOOD = met(ANA, Trust.VERIFIED, verified=WHEN, name="Ana", subject="s", issuer="i", run=3).line()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.tuples(
            st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.binary(max_size=3)
        ).map(lambda cut: GOOD[: cut[0]].encode() + cut[2] + GOOD[cut[1] :].encode()),
        max_size=4,
    )
)
def test_whatever_stands_in_the_file_is_kept_and_hurts_nobody_else(lines: list[bytes]) -> None:
    text = b"\n".join([met(BEN).line().encode(), *lines]).decode("utf-8", "surrogateescape")
    book = TrustBook.parse(text)
    assert book.get(BEN) is not None
    assert all(message.isprintable() for message in book.damage)
    again = TrustBook.parse(book.text())
    assert list(again) == list(book)
    assert again.text() == book.text()
    for line in text.split("\n"):
        try:
            key = Acquaintance.parse(line).key
        except ValueError:
            assert line in book.text().split("\n")
        else:
            assert book.get(key) is not None


def test_comments_blank_lines_and_words_of_later_versions_stay() -> None:
    text = (
        "# whom we trust\n\n"
        f"# Ana, met at the harbour\n{line(ANA, 'verified 2026-11-30T16:02:02Z')}\n"
        + line(BEN, 'seen 2026-11-30T16:02:02Z name="Ben" via=ble mark="a b" 7')
        + "\n"
        + "   \n# the end"
    )
    book = TrustBook.parse(text)
    assert book.damage == ()
    assert book.text() == text + "\n"
    book.decide(BEN, Trust.BLOCKED, WHEN)
    ben = line(BEN, 'blocked 2026-11-30T16:02:02Z name="Ben" via=ble mark="a b" 7')
    assert book.text().splitlines()[4] == ben
    book.drop(ANA)
    lines = ["# whom we trust", "", "# Ana, met at the harbour", ben, "   ", "# the end"]
    assert book.text().splitlines() == lines


def test_of_two_lines_of_one_key_the_graver_holds_and_forgetting_takes_both() -> None:
    lines = [
        line(ANA, "verified 2026-11-30T16:02:02Z 2026-11-30T17:00:00Z"),
        line(ANA, "blocked 2026-11-29T16:02:02Z"),
        line(ANA, "seen 2026-11-28T16:02:02Z"),
    ]
    book = TrustBook.parse("\n".join(lines))
    ana = book.get(ANA)
    assert ana is not None
    assert (ana.state, ana.first_seen) == (Trust.BLOCKED, WHEN - timedelta(days=2))
    assert len(book) == 1
    assert book.drop(ANA)
    assert book.text() == ""


def test_decisions_keep_what_is_known() -> None:
    book = TrustBook()
    book.put(met(ANA, name="Ana", run=3))
    later = WHEN + timedelta(hours=1)
    book.decide(ANA, Trust.VERIFIED, later, "other")
    assert book.get(ANA) == met(ANA, Trust.VERIFIED, verified=later, name="Ana", run=3)
    book.decide(ANA, Trust.BLOCKED, later)
    assert book.get(ANA) == met(ANA, Trust.BLOCKED, name="Ana", run=3)
    book.decide(BEN, Trust.VERIFIED, WHEN, "Ben")
    assert book.get(BEN) == met(BEN, Trust.VERIFIED, verified=WHEN, name="Ben")
    for nobodys in (Trust.UNKNOWN, Trust.SEEN):
        with pytest.raises(ValueError, match=f"not made {nobodys}"):
            book.decide(ANA, nobodys, WHEN)


def test_when_there_are_too_many_the_first_go_but_no_decision() -> None:
    book = TrustBook()
    for number, key in enumerate(KEYS):
        book.put(met(key, Trust.BLOCKED if number == 0 else Trust.SEEN))
    book.decide(KEYS[2], Trust.VERIFIED, WHEN)
    book.shrink(4)
    assert [one.key for one in book] == [KEYS[0], KEYS[2], KEYS[6], KEYS[7]]
    book.shrink(1)
    assert [one.key for one in book] == [KEYS[0], KEYS[2]]


def test_lines_that_are_known_are_not_read_anew() -> None:
    first = TrustBook.parse(met(ANA).line() + "\n" + met(BEN).line())
    again = TrustBook.parse(met(BEN, name="Ben").line() + "\n" + met(ANA).line(), known=first)
    assert again.get(ANA) is first.get(ANA)
    assert again.get(BEN) == met(BEN, name="Ben")


# -- the file


def test_a_home_without_the_file_knows_nobody_and_gets_it_when_needed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = TrustFile(home)
    assert len(file.load()) == 0
    assert not home.exists()
    file.update(lambda book: None)
    assert not file.path.exists()
    file.update(lambda book: book.put(met(ANA)))
    assert file.path.read_text() == met(ANA).line() + "\n"
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert not file.changed()


def test_a_change_is_made_to_what_the_file_says_now(tmp_path: Path) -> None:
    one, other = TrustFile(tmp_path), TrustFile(tmp_path)
    one.update(lambda book: book.put(met(ANA)))
    other.update(lambda book: book.put(met(BEN)))
    assert one.changed()
    book = one.update(lambda book: book.put(met(EVE)))
    assert [entry.key for entry in book] == [ANA, BEN, EVE]
    assert [entry.key for entry in other.load()] == [ANA, BEN, EVE]
    one.path.unlink()
    assert other.changed()
    assert len(other.load()) == 0


def test_what_is_no_text_at_all_is_kept(tmp_path: Path) -> None:
    file = TrustFile(tmp_path)
    file.path.write_bytes(b"\xff\x00\xfe\r\n" + met(BEN).line().encode() + b"\r\n")
    book = file.update(lambda book: book.put(met(ANA)))
    assert [entry.key for entry in book] == [BEN, ANA]
    assert len(book.damage) == 1
    assert book.damage[0].isprintable()
    assert file.path.read_bytes().startswith(b"\xff\x00\xfe\r\n" + met(BEN).line().encode())


def test_what_cannot_be_read_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = TrustFile(tmp_path)
    file.path.mkdir()
    with pytest.raises(HomeError, match="trust: Is a directory; it says whom"):
        file.load()
    with pytest.raises(HomeError, match="Is a directory"):
        file.update(lambda book: book.put(met(ANA)))
    assert file.path.is_dir()


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    file = TrustFile(tmp_path)
    with file.path.open("wb") as sparse:
        sparse.truncate(trust_file.MAX_BYTES + 1)
    with pytest.raises(HomeError, match="too large"):
        file.load()


def test_who_holds_the_lock_for_too_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_file, "LOCK_SECONDS", 0.1)
    one, other = TrustFile(tmp_path), TrustFile(tmp_path)
    changing = pytest.raises(HomeError, match="being changed by another program")
    with home_file.locked(one.path), changing:
        other.update(lambda book: book.put(met(ANA)))
    other.update(lambda book: book.put(met(ANA)))
    assert len(one.load()) == 1


def test_ten_writers_at_once_lose_no_line(tmp_path: Path) -> None:
    def write(number: int) -> None:
        file = TrustFile(tmp_path)
        for turn in range(8):
            key = Identity.from_private_bytes(bytes([number, turn] * 16)).peer_key
            file.update(lambda book, key=key: book.put(met(key)))  # type: ignore[misc]

    writers = [Thread(target=write, args=(number,)) for number in range(10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    book = TrustFile(tmp_path).load()
    assert (len(book), book.damage) == (80, ())


WRITER = """
import sys
from pathlib import Path
from presence_core.identity.trust import Acquaintance
from presence_core.identity.trust_file import TrustFile
from presence_core.identity.keys import Identity
from presence_core.model import Trust
from datetime import datetime, UTC
file = TrustFile(Path(sys.argv[1]))
for n in range(1, 10_000):
    key = Identity.from_private_bytes(n.to_bytes(32, "big")).peer_key
    one = Acquaintance(key, Trust.SEEN, datetime.now(UTC), name="x" * 60)
    file.update(lambda book: book.put(one))
    print(n, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_file_and_no_lock(tmp_path: Path) -> None:
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert process.stdout is not None
        said = 0
        for text in process.stdout:
            said = int(text)
            if said == 20:
                process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        process.stdout.close()
        book = TrustFile(tmp_path).load()
        assert book.damage == ()
        assert len(book) >= said  # what was said to be written is there
    (tmp_path / ".trust.0123abcd.new").write_text("half a li")  # of one that was hit in the middle
    TrustFile(tmp_path).update(lambda book: book.put(met(ANA)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trust", "trust.lock"]


def test_as_many_as_there_may_be_come_back(tmp_path: Path) -> None:
    keys: list[bytes] = []
    number = 0
    while len(keys) < 300:
        number += 1
        keys.append(Identity.from_private_bytes(number.to_bytes(32, "big")).peer_key)
    file = TrustFile(tmp_path)

    def fill(book: TrustBook) -> None:
        for key in keys:
            book.put(met(key, name="\u202e" * 21, subject="s" * 256, issuer="i" * 256))

    file.update(fill)
    assert [one.key for one in TrustFile(tmp_path).load()] == keys
    assert file.path.stat().st_size / len(keys) * MAX_ACQUAINTANCES < trust_file.MAX_BYTES
    assert json.loads('"' + "\\u202e" * 21 + '"') == file.load().get(keys[0]).name  # type: ignore[union-attr]
