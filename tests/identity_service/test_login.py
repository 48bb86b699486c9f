"""``identity login|logout|show``: as people and scripts do it, with all that can go wrong."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from presence_core.identity.keyfile import load_identity
from presence_core.identity.token import parse_token, read_token
from presence_core.schema import json_schema
from tests.cli.command import COMMAND, Answer, environment, refused, run
from tests.identity_service import certificates
from tests.identity_service.support import PASSWORD, ServiceProcess, secret_file, webhook
from tests.terminal import Terminal

CREDENTIAL = f"mina:{PASSWORD}"
VALID = jsonschema.Draft202012Validator(json_schema())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def login(home: Path, *options: str | Path, stdin: str = "", **env: str) -> Answer:
    argv = ("identity", "login", "--home", home, *options)
    return run(*argv, stdin=stdin, env=environment(**env))


def shown(home: Path) -> Answer:
    answer = run("identity", "show", "--home", home, "--json", "--compact")
    VALID.validate(answer.json)
    return answer


def status(home: Path) -> str:
    found: str = shown(home).json["identity"]["status"]
    return found


def test_a_login_leaves_a_token_and_how_to_renew_it(home: Path, service: ServiceProcess) -> None:
    done = login(home, "--service", service.url, "--trust-issuer", stdin=CREDENTIAL)
    assert (done.code, done.out) == (0, "")
    assert "team says that this device is mina" in done.err
    assert PASSWORD not in done.err
    raw = read_token((home / "identity.token").read_bytes())
    assert raw is not None
    assert parse_token(raw).peer_key == load_identity(home).peer_key
    assert json.loads((home / "login.json").read_text()) == {
        "service": service.url,
        "provider": "users",
        "issuer": "team",
        "caFile": None,
        "credentialFile": None,
        "insecure": False,
    }
    for path in home.rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o077 == 0, path
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes(), path
    answer = shown(home)
    assert answer.code == 0
    assert answer.json["identity"]["status"] == "verified"
    assert answer.json["identityServiceMetadata"] == {"role": "medic"}
    assert answer.json["renewal"] == {
        "service": service.url,
        "provider": "users",
        "failure": None,
    }
    plain = run("identity", "show", "--home", home)
    assert "verified: “team” vouches for this peer" in plain.out
    assert "mina" in plain.out
    # All that was said once need not be said again.
    assert login(home, stdin=CREDENTIAL).code == 0


def test_the_credential_comes_from_a_file_the_environment_or_a_pipe(
    home: Path, tmp_path: Path, service: ServiceProcess
) -> None:
    base = ("--service", service.url)
    file = tmp_path / "credential"
    file.write_text(CREDENTIAL + "\n")
    said = refused(login(home, *base, "--credential-file", file), 3)
    assert f"chmod 600 {file}" in said
    file.chmod(0o600)
    assert login(home, *base, "--credential-file", file).code == 0
    assert json.loads((home / "login.json").read_text())["credentialFile"] == str(file)
    other = tmp_path / "other"
    assert login(other, *base, PRESENCE_CREDENTIAL=CREDENTIAL).code == 0
    assert login(other, *base, "--user", "mina", stdin=PASSWORD + "\n").code == 0
    assert "no credential" in refused(login(tmp_path / "third", *base), 2)


def test_a_person_is_asked_and_what_is_typed_is_not_shown(
    home: Path, service: ServiceProcess
) -> None:
    argv = [*COMMAND, "identity", "login", "--home", str(home), "--service", service.url]
    with Terminal(argv, (80, 24), environment()) as terminal:
        for prompt, typed in (("user name: ", "mina"), ("password: ", PASSWORD), ("[y/N] ", "y")):
            terminal.until_written(prompt.encode())
            terminal.press(f"{typed}\n")
        assert terminal.finish() == 0
    assert PASSWORD.encode() not in terminal.written
    assert b"trusted here now" in terminal.written
    assert status(home) == "verified"


def test_without_trust_the_token_is_kept_and_it_is_said(
    home: Path, service: ServiceProcess
) -> None:
    done = login(home, "--service", service.url, stdin=CREDENTIAL)
    assert done.code == 0
    assert "not trusted here yet" in done.err
    assert "--trust-issuer" in done.err
    assert status(home) == "unknown_issuer"


def test_an_issuer_of_the_configuration_is_trusted_too(
    home: Path, tmp_path: Path, service: ServiceProcess
) -> None:
    rotated = run("identity", "rotate", "--data", service.data)
    (tmp_path / "team.issuer").write_text(rotated.out)
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f'issuers = ["{tmp_path}/team.issuer"]\n')
    done = login(home, "--service", service.url, stdin=CREDENTIAL)
    assert "not trusted" not in done.err
    assert status(home) == "verified"


def test_logout_forgets_all_of_it(home: Path, service: ServiceProcess) -> None:
    login(home, "--service", service.url, "--trust-issuer", stdin=CREDENTIAL)
    assert run("identity", "logout", "--home", home).code == 0
    assert not (home / "identity.token").exists()
    assert not (home / "login.json").exists()
    assert run("identity", "logout", "--home", home).code == 1
    answer = shown(home)
    assert (answer.code, answer.json["identity"]["status"]) == (1, "missing")
    said = refused(run("identity", "show", "--home", home), 1)
    assert "identity login" in said


def test_a_wrong_password_is_a_no_and_leaves_nothing(home: Path, service: ServiceProcess) -> None:
    said = refused(login(home, "--service", service.url, stdin="mina:wrong"), 1)
    assert "user name or the password is wrong" in said
    assert not (home / "identity.token").exists()
    assert not (home / "login.json").exists()


def test_a_failed_login_keeps_the_token_before(home: Path, service: ServiceProcess) -> None:
    login(home, "--service", service.url, "--trust-issuer", stdin=CREDENTIAL)
    before = (home / "identity.token").read_bytes()
    assert login(home, stdin="mina:wrong").code == 1
    service.kill()
    assert login(home, stdin=CREDENTIAL).code == 3
    assert (home / "identity.token").read_bytes() == before


def test_a_service_that_is_not_there_is_said(home: Path, service: ServiceProcess) -> None:
    service.kill()
    said = refused(login(home, "--service", service.url, stdin=CREDENTIAL), 3)
    assert "cannot reach the identity service" in said
    assert "refused" in said
    said = refused(login(home, "--service", "https://nowhere.invalid", stdin=CREDENTIAL), 3)
    assert "cannot reach the identity service" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "is not https://HOST"),
        ("ftp://127.0.0.1", "is not https://HOST"),
        ("https://user:secret@127.0.0.1", "is not https://HOST"),
        ("http://198.51.100.1", "use https://"),
        ("https://[::1", "is not https://HOST"),
    ],
)
def test_an_address_that_cannot_be_is_said(home: Path, url: str, said: str) -> None:
    assert said in refused(login(home, "--service", url, stdin=CREDENTIAL), 3)


def test_the_first_login_must_say_where(home: Path) -> None:
    assert "--service" in refused(login(home, stdin=CREDENTIAL), 2)


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """Serve the same bytes to whoever connects."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                try:
                    connection.sendall(answer)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def http(body: bytes, head: str = "200 OK", more: str = "") -> bytes:
    lines = f"HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return lines.encode() + body


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "cannot reach"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot reach"),
        (http(b"<html>hello</html>"), "no identity service"),
        (http(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"), "HTTP status 302"),
        (http(b"{}"), "no identity service"),
        (http(b'{"challenge": "AAAA", "issuer": "x\\u001b[2J"}'), "--provider"),
        (http(b"[" * 60_000), "no identity service"),
        (http(b" " * 1_000_000), "larger than"),
        (http(b'{"error": "x", "message": "\\u001b[31mred\\u202e"}', "403 No"), "[31mred"),
    ],
    ids=range(9),
)
def test_what_is_no_identity_service_is_said(home: Path, answer: bytes, said: str) -> None:
    with server(answer) as url:
        done = login(home, "--service", url, stdin=CREDENTIAL)
    message = refused(done, done.code)
    assert done.code in (2, 3)
    assert said in message
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert not (home / "login.json").exists()


def test_a_clock_that_is_wrong_is_said(home: Path) -> None:
    answer = http(b"{}", more="Date: Tue, 05 Jan 2027 10:00:00 GMT\r\n")
    with server(answer) as url:
        said = refused(login(home, "--service", url, stdin=CREDENTIAL), 3)
    assert "the clock of this device is" in said
    assert "set the one that is wrong" in said


def test_another_service_under_the_same_name_is_refused(
    home: Path, tmp_path: Path, service: ServiceProcess
) -> None:
    login(home, "--service", service.url, "--trust-issuer", stdin=CREDENTIAL)
    before = (home / "identity.token").read_bytes()
    impostor = tmp_path / "impostor"
    impostor.mkdir(mode=0o700)
    shutil.copy2(service.data / "users", impostor / "users")
    with ServiceProcess(impostor, "--issuer-name", "team") as other:
        said = refused(login(home, "--service", other.url, stdin=CREDENTIAL), 3)
    assert "not those that are trusted here" in said
    assert (home / "identity.token").read_bytes() == before


def test_a_service_that_becomes_another_issuer_is_refused(
    home: Path, tmp_path: Path, service: ServiceProcess
) -> None:
    login(home, "--service", service.url, "--trust-issuer", stdin=CREDENTIAL)
    service.kill()
    service.data = tmp_path / "another"
    service.data.mkdir(mode=0o700)
    service._options = ("--issuer-name", "crew")
    service.restart()
    said = refused(login(home, stdin=CREDENTIAL), 3)
    assert "'crew' and not for 'team'" in said
    assert "identity logout" in said


def test_a_webhook_takes_a_credential_as_it_is(home: Path, tmp_path: Path) -> None:
    with webhook() as url:
        options = ("--webhook", url, "--webhook-secret-file", secret_file(tmp_path))
        with ServiceProcess(tmp_path / "s", "--issuer-name", "team", *options) as service:
            base = ("--service", service.url)
            done = login(home, *base, "--trust-issuer", stdin="user:mina")
            assert done.code == 0
            assert '{"motd": "be careful"}' in done.err
            assert status(home) == "verified"
            said = refused(login(home, stdin="no:"), 1)
            assert 'does not accept this credential ("ask at the desk")' in said
            said = refused(login(home, stdin="redirect:"), 3)
            assert "not followed" in said
            said = refused(login(home, "--user", "mina", stdin="x"), 2)
            assert "--user is for passwords" in said


# -- TLS


def test_over_tls_with_an_authority_of_our_own(home: Path, tmp_path: Path, data: Path) -> None:
    files = certificates.make(tmp_path / "tls")
    options = ("--tls-cert", files.certificate, "--tls-key", files.key)
    with ServiceProcess(data, "--issuer-name", "team", *options) as service:
        assert service.url.startswith("https://")
        base = ("--service", service.url)
        said = refused(login(home, *base, stdin=CREDENTIAL), 3)
        assert "certificate" in said
        assert "--ca-file" in said
        trusted = ("--ca-file", files.authority, "--trust-issuer")
        assert login(home, *base, *trusted, stdin=CREDENTIAL).code == 0
        assert status(home) == "verified"
        assert json.loads((home / "login.json").read_text())["caFile"] == str(files.authority)
        assert login(home, stdin=CREDENTIAL).code == 0
        plain = service.url.replace("https", "http")
        assert login(tmp_path / "x", "--service", plain, stdin=CREDENTIAL).code == 3
        said = refused(login(home, "--ca-file", files.key, stdin=CREDENTIAL), 3)
        assert "cannot use the certificate" in said


def test_plain_http_where_tls_was_asked_for_is_said(home: Path, service: ServiceProcess) -> None:
    url = service.url.replace("http", "https")
    said = refused(login(home, "--service", url, stdin=CREDENTIAL), 3)
    assert "speaks no TLS" in said


@pytest.mark.parametrize(("host", "days"), [("127.0.0.9", 1), ("127.0.0.1", -1)])
def test_a_certificate_of_another_or_that_ran_out_is_refused(
    home: Path, tmp_path: Path, data: Path, host: str, days: int
) -> None:
    files = certificates.make(tmp_path / "tls", host, days=days)
    options = ("--tls-cert", files.certificate, "--tls-key", files.key)
    with ServiceProcess(data, *options) as service:
        base = ("--service", service.url, "--ca-file", files.authority)
        said = refused(login(home, *base, stdin=CREDENTIAL), 3)
    assert "does not hold" in said
