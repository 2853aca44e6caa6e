"""The live page over HTTP: who may read it, what it says, and that it can do nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from filled import fill

from borarun.basics.causes import Cause
from borarun.basics.errors import BorarunError
from borarun.live import curves
from borarun.live.server import MAX_CONNECTIONS, Server, make_server
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Failure
from borarun.run.state import Observer
from borarun.site import default_site
from borarun.study import Study
from borarun.study.plan import expand

NASTY = "<img src=x onerror=alert(1)></script>"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    found: Server, path: str, method: str = "GET", host: str | None = None, **headers: str
) -> Answer:
    connection = HTTPConnection("127.0.0.1", found.server_address[1], timeout=20)
    connection.request(
        method, path, headers={"Host": host or f"localhost:{found.server_address[1]}", **headers}
    )
    answer = connection.getresponse()
    said = Answer(answer.status, dict(answer.getheaders()), answer.read())
    connection.close()
    return said


def get(found: Server, name: str, **headers: str) -> Answer:
    return ask(found, f"/{found.token}/{name}", **headers)


Serving = Callable[[], Server]


def test_it_listens_on_this_machine_alone(serving: Serving) -> None:
    assert serving().server_address[0] == "127.0.0.1"


def test_nothing_is_told_without_the_token(serving: Serving) -> None:
    found = serving()
    for path in (
        "/",
        "/state.json",
        "/x/state.json",
        f"/{found.token[:-1]}/state.json",
        f"/x/../{found.token}/",
        "/%C3%A4/",
        "//",
    ):
        answer = ask(found, path)
        assert (
            answer.status == 403
            and b"mini" not in answer.body
            and found.token.encode() not in answer.body
        )
    assert get(found, "").status == 200
    assert serving().token != found.token


@pytest.mark.parametrize(
    "host", ["example.org", "example.org:80", "127.0.0.1.example.org", "localhost.example.org:1"]
)
def test_another_host_name_is_refused(serving: Serving, host: str) -> None:
    found = serving()
    assert get(found, "state.json", host=host).status == 403


@pytest.mark.parametrize("host", ["127.0.0.1:9999", "localhost:9999", "localhost"])
def test_a_tunnel_may_have_another_port(serving: Serving, host: str) -> None:
    assert get(serving(), "state.json", host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_there_is_nothing_to_do_but_read(serving: Serving, method: str) -> None:
    found = serving()
    assert ask(found, f"/{found.token}/state.json", method).status == 501


@pytest.mark.parametrize(
    "name", ["../state.json", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "server.py", "state.json/"]
)
def test_only_its_own_files_are_served(serving: Serving, name: str) -> None:
    assert get(serving(), name).status == 404


def test_scripts_and_styles_come_from_the_page_alone(serving: Serving) -> None:
    found = serving()
    for name in ("", "page.js", "page.css", "report.css", "state.json", "curves.json"):
        answer = get(found, name)
        assert answer.status == 200 and answer.body
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert (
            answer.headers["X-Content-Type-Options"] == "nosniff"
            and answer.headers["Referrer-Policy"] == "no-referrer"
        )
    page = get(found, "").body.decode()
    assert (
        "http" not in page
        and "<style" not in page
        and "style=" not in page
        and page.count("<script") == 1
    )


def test_what_has_not_changed_is_not_sent_again(
    serving: Serving, study: Study, places: Places
) -> None:
    found = serving()
    for name in ("state.json", "curves.json", "page.js"):
        etag = get(found, name).headers["ETag"]
        again = get(found, name, **{"If-None-Match": etag})
        assert (again.status, again.body) == (304, b"")
    before = get(found, "state.json").headers["ETag"]
    fill(study, Store(places.store))
    answer = get(found, "state.json", **{"If-None-Match": before})
    assert answer.status == 200 and answer.headers["ETag"] != before


def test_head_has_no_body(serving: Serving) -> None:
    found = serving()
    answer = ask(found, f"/{found.token}/", "HEAD")
    assert answer.status == 200 and not answer.body and int(answer.headers["Content-Length"]) > 0


def test_a_study_that_has_not_begun(serving: Serving, places: Places) -> None:
    found = serving()
    state = get(found, "state.json").json
    assert state["name"] == "mini" and state["driver"] == "" and state["left_s"] > 0
    assert {task["condition"] for stage in state["stages"] for task in stage["tasks"]} == {
        "waiting"
    }
    curves = get(found, "curves.json").json
    assert (curves["curves"], curves["missing"]) == ([], 0)
    assert list(curves["figures"]) == ["grade", "lattice", "msd"]
    assert not places.store.parent.exists(), "it writes nothing"


def test_a_finished_study_with_all_its_curves(
    serving: Serving, study: Study, places: Places
) -> None:
    fill(study, Store(places.store))
    before = {path: path.stat().st_mtime_ns for path in places.store.rglob("*")}
    found = serving()
    state = get(found, "state.json").json
    assert {task["condition"] for stage in state["stages"] for task in stage["tasks"]} == {
        "done"
    } and state["left_s"] == 0
    while (answer := get(found, "curves.json").json)["missing"]:
        pass
    figures = [curve["figure"] for curve in answer["curves"]]
    assert (figures.count("grade"), figures.count("lattice"), figures.count("msd")) == (4, 2, 4)
    assert before == {path: path.stat().st_mtime_ns for path in places.store.rglob("*")}


def test_a_curve_is_read_once(
    serving: Serving, study: Study, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(study, Store(places.store))
    found = serving()
    while (first := get(found, "curves.json").json)["missing"]:
        pass
    monkeypatch.setattr(curves, "of_record", lambda *_: pytest.fail("read again"))
    assert get(found, "curves.json").json == first


def test_a_failure_comes_with_its_evidence_as_text(
    serving: Serving, study: Study, places: Places
) -> None:
    task = expand(study, {}).tasks[0]
    Store(places.store).write_failure(
        task, Failure(Cause.FAILED, NASTY, f"mend {NASTY}", f"its last line {NASTY}")
    )
    found = serving()
    answer = get(found, "state.json")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    (failed,) = answer.json["failed"]
    assert (
        failed["message"] == NASTY
        and NASTY in failed["remedy"]
        and NASTY in failed["evidence"]
        and failed["waiting"]
    )
    assert NASTY.encode() not in get(found, "").body


def test_a_store_that_cannot_be_read_is_told_and_not_the_end(
    serving: Serving, study: Study, places: Places
) -> None:
    task = expand(study, {}).tasks[0]
    Store(places.store).write_failure(task, Failure(Cause.FAILED, "it broke"))
    (file,) = places.store.glob("*.failure.json")
    content = file.read_text()
    file.write_text(content.replace('"borarun_store": 1', '"borarun_store": 99'))
    found = serving()
    assert "newer borarun" in get(found, "state.json").json["error"]
    file.write_text(content)
    assert get(found, "state.json").json["failed"]


def test_a_bug_in_one_look_is_told_and_not_the_end(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = serving()

    def break_down(self: Observer) -> None:
        raise TypeError("no such thing")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Observer, "look", break_down)
        assert (
            "bug in borarun, please report it: TypeError: no such thing"
            in get(found, "state.json").json["error"]
        )
    assert get(found, "state.json").json["name"] == "mini"


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 1000,
        b"\r\n" * 1000,
        b"GET " + b"/" * 1_000_000,
        b"GET /" + b"%ff" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff\xfe/state.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=range(13),
)
def test_whatever_is_sent_without_the_token_is_told_nothing(
    serving: Serving, capsys: pytest.CaptureFixture[str], sent: bytes
) -> None:
    found = serving()
    got = b""
    with (
        socket.create_connection(found.server_address[:2], timeout=20) as client,
        suppress(OSError),  # it may close before all is sent
    ):
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        while piece := client.recv(65536):
            got += piece
    assert b" 200 " not in got and b"mini" not in got and found.token.encode() not in got
    assert get(found, "").status == 200
    assert capsys.readouterr() == ("", "")


def test_many_connections_are_closed_and_not_kept(serving: Serving) -> None:
    found = serving()
    before = threading.active_count()
    clients = [socket.create_connection(found.server_address[:2], timeout=20) for _ in range(100)]
    closed = 0
    for client in clients[MAX_CONNECTIONS:]:
        with suppress(ConnectionError):
            assert client.recv(1) == b""
        closed += 1
    assert closed == 100 - MAX_CONNECTIONS
    assert threading.active_count() <= before + MAX_CONNECTIONS
    for client in clients:
        client.close()
    for _ in range(3000):
        with suppress(OSError):  # until the threads of the others have ended
            assert get(found, "").status == 200
            break
        time.sleep(0.01)
    else:
        pytest.fail("nobody is answered any more")


def test_a_client_that_goes_away_does_no_harm(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    found = serving()
    for sent in (
        b"",
        b"GET",
        f"GET /{found.token}/page.js HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    ):
        with socket.create_connection(found.server_address[:2]) as client:
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )  # a reset, not an orderly end
            client.sendall(sent)
    assert get(found, "").status == 200
    assert capsys.readouterr() == ("", "")


def test_a_port_in_use_is_a_plain_error(study: Study, places: Places, serving: Serving) -> None:
    port = serving().server_address[1]
    with pytest.raises(BorarunError, match=rf"--port: .* \(got {port}\)\. Choose another one"):
        make_server(study, "mini.yaml", Observer(study, default_site(), places), port)


def test_the_command_tells_its_address_and_ends_with_control_c(mini_study: Path) -> None:
    command = [sys.executable, "-m", "borarun", "watch", "mini.yaml", "--web"]
    with subprocess.Popen(
        command,
        cwd=mini_study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().split()[-1]
        assert "ssh -L" in process.stdout.readline()
        port, token = address.removeprefix("http://127.0.0.1:").strip("/").split("/")
        connection = HTTPConnection("127.0.0.1", int(port), timeout=20)
        connection.request("GET", f"/{token}/state.json")
        assert json.loads(connection.getresponse().read())["name"] == "mini"
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == ""
    assert not (mini_study.parent / "runs").exists()
