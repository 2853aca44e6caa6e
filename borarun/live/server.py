"""A server of this machine only, for whoever has its address. It answers GET with what an
`Observer` sees, and can do nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

import numpy as np

from borarun.basics.errors import BorarunError
from borarun.live.curves import Drawn, figures
from borarun.run.state import Observer, State
from borarun.sections.study import Study

HOST = "127.0.0.1"
HOST_NAMES = {HOST, "localhost"}
"""Names under which the page may be asked for, with whatever port a tunnel has: a site elsewhere
whose name was bent to this machine has another.
"""

LOOK_S = 1.0
PAUSE = 4.0
"""Rest after a look, in units of the time that it took: looking never takes more than a fifth of
one core.
"""

CURVES_S = 0.5
"""Time for curves of finished tasks at one look; the others come with the next ones."""

MAX_CONNECTIONS = 32
"""At the same time; a browser opens six. All others are closed at once."""

DIGITS = 5

_SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action "
    "'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def serve(
    study: Study, file: str, observer: Observer, port: int, say: Callable[[str], None]
) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    file : the study file as the user named it, for the commands that the page tells
    port : 0 for any that is free
    say : told the address

    Raises
    ------
    BorarunError
        When the port is taken or not allowed.
    """
    server = make_server(study, file, observer, port)
    with server:
        number = server.server_address[1]
        say(f"{study.name} is shown at {server.address}")
        say(
            f"From another machine: ssh -L {number}:{HOST}:{number} {socket.gethostname()}, "
            "then the same address there."
        )
        say(
            "Whoever has the address can read the page; nobody can change anything with it. "
            "Ctrl-C ends it, and nothing else."
        )
        server.serve_forever(poll_interval=0.2)


def make_server(study: Study, file: str, observer: Observer, port: int) -> Server:
    """The server, bound and not yet serving; arguments and errors as of ``serve``."""
    try:
        return Server(Page(study, file, observer), port)
    except OSError as error:
        raise BorarunError(
            f"--port: {error.strerror or error} (got {port}). Choose another one, or leave "
            "it out to get one that is free."
        ) from error


class Page:
    """The files of the page, by their names."""

    def __init__(self, study: Study, file: str, observer: Observer) -> None:
        self._study, self._file, self._observer = study, file, observer
        self._state: State | None = None
        self._drawn = Drawn(study, observer.places)
        self._looking = threading.Lock()
        ours = resources.files("borarun.live")
        fixed = {
            "": ("text/html", ours / "page.html"),
            "page.js": ("text/javascript", ours / "page.js"),
            "page.css": ("text/css", ours / "page.css"),
            "report.css": ("text/css", resources.files("borarun.page") / "page.css"),
        }
        self._fixed = {name: (kind, source.read_bytes()) for name, (kind, source) in fixed.items()}
        self._made = {"state.json": _Paced(self._look), "curves.json": _Paced(self._draw)}

    def get(self, name: str) -> tuple[str, bytes] | None:
        """Type and content of a file; None where there is none of this name."""
        if name in self._made:
            return "application/json", self._made[name]()
        return self._fixed.get(name)

    def _look(self) -> bytes:
        return _json(_told(self._study, self._file, self._seen()))

    def _seen(self) -> State:
        with self._looking:
            self._state = self._observer.look()
            return self._state

    def _draw(self) -> bytes:
        curves, missing = self._drawn.look(self._state or self._seen(), CURVES_S)
        found = [
            asdict(curve) | {"x": _rounded(curve.x), "y": _rounded(curve.y)} for curve in curves
        ]
        looks = {name: asdict(look) for name, look in figures().items()}
        return _json({"curves": found, "figures": looks, "missing": missing})


class _Paced:
    """What is made anew at most as often as leaves the machine to those who compute."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._next = 0.0
        self._value = b""

    def __call__(self) -> bytes:
        with self._lock:
            began = time.monotonic()
            if began >= self._next:
                try:
                    self._value = self._make()
                except (BorarunError, OSError) as error:
                    self._value = _json({"error": str(error)})
                # what is wrong with one look need not be with the next, and is to be seen
                except Exception as error:
                    self._value = _json(
                        {
                            "error": "This is a bug in borarun, please report it: "
                            f"{type(error).__name__}: {error}"
                        }
                    )
                ended = time.monotonic()
                self._next = ended + max(LOOK_S, PAUSE * (ended - began))
            return self._value


class Server(ThreadingHTTPServer):
    """The page behind an address that nobody can guess."""

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, page: Page, port: int) -> None:
        self.page = page
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.token = secrets.token_urlsafe(24)
        super().__init__((HOST, port), _Handler)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_address[1]}/{self.token}/"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more: every user of the machine can open connections."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "borarun", ""
    timeout = 30

    def do_GET(self) -> None:
        token, _, name = self.path.removeprefix("/").partition("?")[0].partition("/")
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in HOST_NAMES or not hmac.compare_digest(
            token.encode(), self.server.token.encode()
        ):
            self.close_connection = True
            self._answer(
                HTTPStatus.FORBIDDEN,
                "text/plain",
                b"This page has another address: take the whole one that `borarun watch "
                b"--web` said.\n",
            )
            return
        found = self.server.page.get(name)
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"There is no such page.\n")
            return
        kind, content = found
        etag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
        if self.headers.get("If-None-Match") == etag:
            self._answer(HTTPStatus.NOT_MODIFIED, kind, b"", etag)
        else:
            self._answer(HTTPStatus.OK, kind, content, etag)

    do_HEAD = do_GET

    def _answer(self, status: HTTPStatus, kind: str, content: bytes, etag: str = "") -> None:
        self.send_response(status)
        for name, value in _SAFE.items():
            self.send_header(name, value)
        if etag:
            self.send_header("ETag", etag)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: the terminal has the address."""


def _told(study: Study, file: str, state: State) -> dict[str, Any]:
    """A state as JSON."""
    stages = [
        {
            "name": stage.name,
            "more": stage.more,
            "tasks": [
                {
                    "label": each.task.label,
                    "condition": each.condition,
                    "part": each.part,
                    "where": each.where,
                    "seconds": each.seconds,
                }
                for each in stage.tasks
            ],
        }
        for stage in state.stages
    ]
    return {
        "name": study.name,
        "formula": study.material.formula,
        "file": file,
        "driver": state.driver,
        "left_s": float(f"{state.left_s:.2g}"),
        "stages": stages,
        "failed": [
            {"task": each.task.name, **asdict(each.failure), "waiting": each.waiting}
            for each in state.failed
        ],
        "stuck": state.stuck,
        "trained": [asdict(each) for each in state.trained],
        "explored": [asdict(each) for each in state.explored],
    }


def _rounded(values: Any) -> list[float | None]:
    """Numbers for drawing; None where they are not finite."""
    return [
        float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
        for value in np.asarray(values, float).tolist()
    ]


def _json(content: Any) -> bytes:
    return json.dumps(_finite(content), separators=(",", ":"), allow_nan=False).encode()


def _finite(value: Any) -> Any:
    """The same with None for numbers that JSON has not."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
