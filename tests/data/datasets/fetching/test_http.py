"""Bad networks and bad certificates are named and leave nothing; all on loopback."""

import datetime
import errno
import socket
import ssl
import threading
from pathlib import Path

import pytest
import requests
import trustme

from nbhelpers.data.datasets.fetching import http
from nbhelpers.data.datasets.fetching.fetch import fetch_from
from tests.data.datasets.fetching.fault_server import (
    FaultServer,
    endless,
    send,
    send_on,
    tiny_dataset,
)
from tests.data.datasets.fetching.fault_tools import (
    ARCHIVE,
    BAD_ANSWERS,
    FILES,
    BadAnswer,
    failure_of,
    files_in,
    left_in,
    refuse,
)


# Bad networks
@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_bad_answer_is_named_and_leaves_nothing(bad: BadAnswer, cache: Path):
    with FaultServer(bad.answer) as server:
        with bad.limits():
            message = failure_of(tiny_dataset(server.address), cache)
        assert bad.words in message
        assert "By hand: put tiny.zip (http://127.0.0.1" in message
        assert left_in(cache) == set()
        server.answer = send(ARCHIVE)
        assert files_in(fetch_from(tiny_dataset(server.address), cache=cache, home=None)) == FILES


def test_name_that_is_not_found_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        socket, "getaddrinfo", refuse(socket.gaierror(socket.EAI_NONAME, "Name or service"))
    )
    assert "host name not found" in failure_of(tiny_dataset("http://host.invalid"), cache)


def test_missing_network_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch):
    unreachable = refuse(OSError(errno.ENETUNREACH, "Network is unreachable"))
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    assert "127.0.0.1:9: no network" in failure_of(tiny_dataset("http://127.0.0.1:9"), cache)


def test_refused_connection_is_said(cache: Path):
    with FaultServer(endless) as server:
        pass  # now nobody listens there
    assert "connection refused" in failure_of(tiny_dataset(server.address), cache)


def test_look_up_that_hangs_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch):
    released = threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "waited for to its end")

    monkeypatch.setenv("CF_DOWNLOAD_TIMEOUT", "0.3")
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert "not complete within 0.3 s" in failure_of(tiny_dataset("http://host.invalid"), cache)
    released.set()


def test_connection_that_takes_too_long_is_given_up(server, cache: Path, monkeypatch):
    limits = []

    def too_slow(self: object, *_: object, timeout: tuple[float, float], **__: object) -> None:
        limits.append(timeout)
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests.Session, "send", too_slow)
    assert "no answer in time" in failure_of(tiny_dataset(server.address), cache)
    assert limits == [(http.CONNECT_SECONDS, http.STALL_SECONDS)]


def test_progress_is_shown_for_a_big_file_only_outside_ci(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(http, "_BIG", 0)
    fetch_from(tiny_dataset(server.address), cache=tmp_path / "ci", home=None)
    assert "B/s" not in capsys.readouterr().err
    monkeypatch.delenv("CI")
    fetch_from(tiny_dataset(server.address), cache=tmp_path / "desk", home=None)
    assert "B/s" in capsys.readouterr().err


@pytest.mark.parametrize("named", ["soon", "-1", "0", "inf", "nan"])
def test_time_limit_must_be_a_positive_number(
    named: str, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CF_DOWNLOAD_TIMEOUT", named)
    with pytest.raises(ValueError, match=f"positive number of seconds; got '{named}'"):
        fetch_from(tiny_dataset("http://127.0.0.1:9"), cache=cache, home=None)


# Certificates
LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def secure_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def trust(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))


@pytest.mark.parametrize(
    ("host", "not_after", "words"),
    [
        ("127.0.0.1", LONG_AGO, "invalid certificate (certificate has expired)"),
        ("elsewhere.example", None, "invalid certificate (IP address mismatch"),
    ],
    ids=["expired", "other host"],
)
def test_bad_certificate_is_never_accepted(
    host, not_after, words, authority, cache: Path, tmp_path: Path, monkeypatch
):
    trust(authority, tmp_path, monkeypatch)
    tls = secure_context(authority.issue_cert(host, not_after=not_after))
    with FaultServer(send(ARCHIVE), tls=tls) as server:
        assert words in failure_of(tiny_dataset(server.address), cache)
        assert server.n_requests == 0


def test_certificate_of_an_unknown_authority_is_never_accepted(
    authority, cache, tmp_path, monkeypatch
):
    trust(authority, tmp_path, monkeypatch)
    tls = secure_context(trustme.CA().issue_cert("127.0.0.1"))
    with FaultServer(send(ARCHIVE), tls=tls) as server:
        assert "invalid certificate" in failure_of(tiny_dataset(server.address), cache)
        assert server.n_requests == 0


def test_good_certificate_works_but_not_a_way_out_of_encryption(
    authority, cache, tmp_path, monkeypatch, server
):
    trust(authority, tmp_path, monkeypatch)
    tls = secure_context(authority.issue_cert("127.0.0.1"))
    with FaultServer(send_on(f"{server.address}/tiny.zip"), tls=tls) as secure:
        dataset = tiny_dataset(secure.address)
        assert "sent on to an address without encryption" in failure_of(dataset, cache)
        secure.answer = send(ARCHIVE)
        assert files_in(fetch_from(dataset, cache=cache, home=None)) == FILES
