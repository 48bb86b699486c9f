"""The service as a process: logins, renewal, keys, revocations, and what its log says."""

from __future__ import annotations

import asyncio
import stat

import aiohttp
import pytest

from presence_core.codec import base64url
from presence_core.identity.issuer import KeySet, RevocationList, parse_object, read_object
from presence_core.identity.issuers import Issuers
from presence_core.identity.keys import Identity, peer_key_text
from presence_core.identity.verdict import Taken
from presence_core.model import IdentityStatus
from presence_tui.identity_service.users import UsersFile
from tests.cli.command import refused, run
from tests.identity_service.support import PASSWORD, Device, ServiceProcess

DAY = 86_400


async def signed(device: Device, path: str) -> bytes:
    async with device.http.get(path) as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        return read_object(await response.text())


async def issuers(device: Device) -> Issuers:
    """Trust what the service says, as a person does who has fetched it."""
    found = Issuers()
    key_set = parse_object(await signed(device, "/v1/keys"))
    assert isinstance(key_set, KeySet)
    assert found.trust(key_set) is Taken.NEWS
    assert found.take(await signed(device, "/v1/revoked")) == (Taken.NEWS, "")
    return found


async def status_of(device: Device, token: bytes) -> IdentityStatus:
    trusted = await issuers(device)
    now = parse_time()
    return trusted.check(token, device.identity.peer_key, now).identity.status


def parse_time() -> float:
    import time

    return time.time()


async def test_a_login_gives_a_token_that_others_believe(device: Device) -> None:
    answer = await device.log_in()
    assert answer.status == 200
    assert answer.value.keys() == {"token", "issuer", "subject", "expiresAt", "clientInfo"}
    assert answer.value["issuer"] == "team"
    token = answer.token
    assert token.expires_at - token.not_before == DAY
    assert (token.issuer, token.subject, token.metadata) == ("team", "mina", {"role": "medic"})
    assert token.peer_key == device.identity.peer_key
    assert await status_of(device, answer.raw) is IdentityStatus.VERIFIED


async def test_a_wrong_password_and_a_wrong_name_get_the_same_answer(device: Device) -> None:
    wrong = await device.log_in("mina:wrong")
    nobody = await device.log_in(f"nobody:{PASSWORD}")
    assert wrong == nobody
    assert (wrong.status, wrong.error) == (401, "not_authenticated")
    assert (await device.log_in("no colon")).error == "bad_request"


async def test_an_unknown_provider_is_told_which_there_are(device: Device) -> None:
    answer = await device.log_in("x", "somewhere")
    assert (answer.status, answer.error) == (400, "unknown_provider")
    assert "users" in answer.value["message"]


async def test_the_challenge_says_for_whom_and_how(device: Device) -> None:
    value = await device.challenge()
    assert value["expiresIn"] == 60
    assert value["issuer"] == "team"
    assert value["providers"] == {"users": "password"}


async def test_keys_and_revocations_come_as_text_as_cbor_and_only_when_new(device: Device) -> None:
    for path, kind in (("/v1/keys", KeySet), ("/v1/revoked", RevocationList)):
        raw = await signed(device, path)
        assert isinstance(parse_object(raw), kind)
        async with device.http.get(path, headers={"Accept": "application/cbor"}) as response:
            assert await response.read() == raw
            tag = response.headers["ETag"]
        async with device.http.get(path, headers={"If-None-Match": tag}) as response:
            assert response.status == 304


# -- renewal


async def test_a_token_is_renewed_without_a_credential(device: Device) -> None:
    first = await device.log_in()
    renewed = await device.renew(first.raw)
    again = await device.renew(first.raw)  # as after an answer that was lost on the way
    assert len({answer.token.token_id for answer in (first, renewed, again)}) == 3
    assert renewed.token.expires_at >= first.token.expires_at
    assert (renewed.token.subject, renewed.token.metadata) == ("mina", {"role": "medic"})
    assert await status_of(device, renewed.raw) is IdentityStatus.VERIFIED


async def test_a_stolen_token_is_not_renewed(device: Device) -> None:
    stolen = await device.log_in()
    thief = Device(device.http)
    answer = await thief.renew(stolen.raw)
    assert (answer.status, answer.error) == (403, "renewal_refused")
    assert "another peer" in answer.value["message"]


async def test_who_was_removed_is_not_renewed(device: Device, service: ServiceProcess) -> None:
    first = await device.log_in()
    done = await asyncio.to_thread(
        run, "identity", "user", "remove", "mina", "--data", service.data
    )
    assert done.code == 0
    answer = await device.renew(first.raw)
    assert (answer.status, answer.error) == (403, "renewal_refused")
    assert "no longer known" in answer.value["message"]


async def test_nonsense_is_not_renewed(device: Device) -> None:
    for credential in ("!", "AAAA", base64url.encode(b"\x84" * 100)):
        assert (await device.log_in(credential, "renewal")).error == "bad_request"


# -- revocation


async def revoke(device: Device, service: ServiceProcess, **body: str) -> None:
    admin = (service.data / "admin.token").read_text().strip()
    headers = {"Authorization": f"Bearer {admin}"}
    answer = await device.post(body, "/v1/revocations", headers=headers)
    assert answer.status == 200
    assert answer.value["issuer"] == "team"


async def test_a_revoked_peer_gets_nothing_any_more(
    device: Device, service: ServiceProcess
) -> None:
    first = await device.log_in()
    await revoke(device, service, peerKey=peer_key_text(device.identity.peer_key))
    assert await status_of(device, first.raw) is IdentityStatus.REVOKED
    for answer in (await device.renew(first.raw), await device.log_in()):
        assert (answer.status, answer.error) == (403, "revoked")
    assert (await Device(device.http).log_in()).status == 200


async def test_a_revoked_token_is_not_renewed(device: Device, service: ServiceProcess) -> None:
    first = await device.log_in()
    await revoke(device, service, tokenId=base64url.encode(first.token.token_id))
    assert await status_of(device, first.raw) is IdentityStatus.REVOKED
    assert (await device.renew(first.raw)).error == "revoked"
    assert (await device.log_in()).status == 200  # the user, with the password


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic abc", "Bearer \u00e9"])
async def test_only_the_admin_revokes(
    device: Device, service: ServiceProcess, authorization: str
) -> None:
    body = {"peerKey": peer_key_text(device.identity.peer_key)}
    headers = {"Authorization": authorization}
    answer = await device.post(body, "/v1/revocations", headers=headers)
    assert (answer.status, answer.error) == (401, "not_admin")
    assert (await device.log_in()).status == 200
    assert stat.S_IMODE((service.data / "admin.token").stat().st_mode) == 0o600


async def test_a_revocation_names_one_thing(device: Device, service: ServiceProcess) -> None:
    admin = (service.data / "admin.token").read_text().strip()
    for body in ({}, {"peerKey": "pk1", "tokenId": "AA"}, {"peerKey": "x"}, {"tokenId": ""}):
        answer = await device.post(
            body, "/v1/revocations", headers={"Authorization": f"Bearer {admin}"}
        )
        assert (answer.status, answer.error) == (400, "bad_request")


# -- commands beside the running service


async def test_commands_change_a_service_that_runs(device: Device, service: ServiceProcess) -> None:
    first = await device.log_in()
    trusted = await issuers(device)
    done = await asyncio.to_thread(run, "identity", "rotate", "--data", service.data)
    assert done.code == 0
    assert read_object(done.out) == await signed(device, "/v1/keys")
    assert trusted.take(read_object(done.out)) == (Taken.NEWS, "")
    second = await device.log_in()
    assert second.token.kid != first.token.kid
    key = peer_key_text(device.identity.peer_key)
    revoked = await asyncio.to_thread(
        run, "identity", "revoke", "--peer-key", key, "--data", service.data
    )
    assert read_object(revoked.out) == await signed(device, "/v1/revoked")
    assert trusted.take(read_object(revoked.out)) == (Taken.NEWS, "")
    for answer in (first, second):
        assert await status_of(device, answer.raw) is IdentityStatus.REVOKED
    assert (await device.log_in()).error == "revoked"


async def test_commands_work_when_the_service_is_off(
    device: Device, service: ServiceProcess
) -> None:
    first = await device.log_in()
    trusted = await issuers(device)
    assert await asyncio.to_thread(service.end) == 0
    token_id = first.token.token_id.hex()
    for command in (["rotate"], ["revoke", "--token-id", token_id]):
        done = await asyncio.to_thread(run, "identity", *command, "--data", service.data)
        assert done.code == 0, done
        assert trusted.take(read_object(done.out)) == (Taken.NEWS, "")
    key = device.identity.peer_key
    verdict = trusted.check(first.raw, key, parse_time())
    assert verdict.identity.status is IdentityStatus.REVOKED
    await asyncio.to_thread(service.restart)
    assert (await device.renew(first.raw)).error == "revoked"


async def test_a_user_who_is_added_can_log_in_at_once(
    device: Device, service: ServiceProcess
) -> None:
    assert (await device.log_in("ole:another password")).status == 401
    done = await asyncio.to_thread(
        run,
        *("identity", "user", "add", "ole", "--data", service.data),
        *("--metadata", '{"role": "cook"}'),
        stdin="another password\n",
    )
    assert (done.code, done.out) == (0, "")
    assert "another password" not in done.err
    answer = await device.log_in("ole:another password")
    assert answer.token.metadata == {"role": "cook"}
    listed = await asyncio.to_thread(run, "identity", "user", "list", "--data", service.data)
    assert listed.out == 'mina\t{"role": "medic"}\nole\t{"role": "cook"}\n'


# -- how it starts and ends


async def test_the_log_says_who_and_never_with_what(
    device: Device, service: ServiceProcess
) -> None:
    answer = await device.log_in()
    await device.log_in("mina:a wrong password")
    await device.log_in("typed my secret here:x")
    await device.log_in("x", "webhook")
    async with device.http.get("/healthz") as response:
        assert await response.json() == {"status": "ok"}
    assert await asyncio.to_thread(service.end) == 0
    log = service.log.read_text()
    assert "mina logged in with peer" in log
    assert answer.token.token_id.hex() in log
    assert "refused 127.0.0.1: not_authenticated" in log
    secrets = (PASSWORD, "a wrong password", "my secret", answer.value["token"][:40])
    admin = (service.data / "admin.token").read_text().strip()
    assert not [secret for secret in (*secrets, admin) if secret in log]


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])  # noqa: S104  it must refuse
def test_off_loopback_it_wants_tls(service: ServiceProcess, host: str) -> None:
    listen = ("--listen", f"{host}:0")
    said = refused(run("identity", "service", "--data", service.data, *listen), 3)
    assert "--tls-cert" in said
    assert "--insecure-listen-without-tls" in said


def test_when_told_so_it_listens_without(tmp_path: object, service: ServiceProcess) -> None:
    service.end()
    service.url = "http://0.0.0.0:0"
    service._options = (*service._options, "--insecure-listen-without-tls")
    service.restart()
    assert service.url.startswith("http://0.0.0.0:")
    assert service.end() == 0


def test_a_port_that_is_taken_is_named(service: ServiceProcess) -> None:
    listen = ("--listen", service.url.rpartition("/")[2])
    said = refused(run("identity", "service", "--data", service.data, *listen), 3)
    assert "cannot listen on 127.0.0.1" in said
    assert "Address already in use" in said or "address already in use" in said


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--listen", "nowhere"], 2, "HOST:PORT"),
        (["--tls-cert", "x"], 2, "--tls-key"),
        (["--tls-cert", "nothing", "--tls-key", "there"], 3, "nothing"),
        (["--webhook", "http://127.0.0.1/"], 2, "--webhook-secret-file"),
        (["--provider", "x"], 2, "--webhook"),
        (["--webhook", "ftp://x", "--webhook-secret-file", "x"], 2, "http(s)"),
        (["--webhook", "http://x", "--webhook-secret-file", "not-there"], 3, "not-there"),
        (["--lifetime", "soon"], 2, "24h"),
        (["--issuer-name", ""], 2, "1 to 256"),
        (["--issuer-name", "crew"], 3, "'team'"),
        (["--users", "/dev/null/x"], 3, "/dev/null/x"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    service: ServiceProcess, options: list[str], code: int, said: str
) -> None:
    base = ("identity", "service", "--data", service.data)
    listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
    assert said in refused(run(*base, *listen, *options), code)


async def test_a_spoilt_users_file_is_said_and_the_rest_goes_on(
    device: Device, service: ServiceProcess
) -> None:
    first = await device.log_in()
    users = UsersFile(service.data / "users")
    whole = users.path.read_bytes()
    users.path.write_text("spoilt\n")
    assert (await device.log_in()).status == 503
    assert await status_of(device, first.raw) is IdentityStatus.VERIFIED
    users.path.write_bytes(whole)
    assert (await device.log_in()).status == 200


def test_the_commands_of_a_service_need_one(tmp_path: object) -> None:
    key = peer_key_text(Identity.generate().peer_key)
    for command in (["rotate"], ["revoke", "--peer-key", key]):
        said = refused(run("identity", *command, "--data", f"{tmp_path}/none"), 3)
        assert "no identity service in" in said
    said = refused(run("identity", "revoke", "--peer-key", "pk1x", "--data", str(tmp_path)), 2)
    assert "--peer-key" in said
    said = refused(run("identity", "revoke", "--token-id", "xyz", "--data", str(tmp_path)), 2)
    assert "hex" in said


async def test_a_path_that_is_none_is_said(device: Device) -> None:
    answer = await device.post({}, "/v1/nothing")
    assert (answer.status, answer.error) == (404, "not_found")
    answer = await device.post({}, "/v1/keys")
    assert (answer.status, answer.error) == (405, "bad_method")


async def test_the_same_connection_serves_many_requests(service: ServiceProcess) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(service.url, connector=connector) as http:
        for _ in range(5):
            assert (await Device(http).log_in()).status == 200
