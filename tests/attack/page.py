"""Requests to the demo page as other sites, other machines and other programs make them."""

import http.client
import json
import socket
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from attack.children import Child
from attack.damage import as_json, changed, spoiled
from attack.kinds import Kind, Made, Outcome, SkipError

PATIENCE = 60
API = "/gradio_api/"
_PATHS = (
    "/", "/config", "/theme.css", f"{API}queue/join", f"{API}queue/data", f"{API}upload",
    f"{API}upload_progress", f"{API}app_id", f"{API}startup-events", f"{API}heartbeat/x",
    f"{API}file=/etc/passwd", f"{API}file=..%2f..%2fetc/passwd", f"{API}proxy=http://127.0.0.1:9/",
    f"{API}run/on_scene", f"{API}call/x", f"{API}component_server", f"{API}stream/a/b/1/x", "/docs",
    "/openapi.json", "/assets/../../etc/passwd", "/static/%00", "//", "/%ff",
    "/..", f"/{'a' * 9000}",
    f"{API}queue/data?session_hash=", f"{API}queue/data?session_hash=%00", "/logout",
)  # fmt: skip
_METHODS = ("GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "X")
_HEADERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Host", ("evil.example", "", "a b", "localhost.", "[::2]", "x" * 9000)),
    ("Origin", ("http://evil.example", "null", "file://", "")),
    ("Content-Type", ("application/json", "text/plain", "multipart/form-data; boundary=mark",
                      "multipart/form-data", "multipart/form-data; boundary=", "\xff")),
    ("Sec-Fetch-Site", ("cross-site", "same-site", "x")),
    ("Range", ("bytes=0-", "bytes=9-1", "x")),
    ("Cookie", ("a=b; c", "session=" + "x" * 5000)),
    ("Accept-Encoding", ("gzip", "x")),
    ("X-Forwarded-Host", ("evil.example",)),
    ("X-Gradio-User", ("x",)),
)  # fmt: skip
_EVENT: dict[str, Any] = {
    "fn_index": 0, "data": ["x", 0], "session_hash": "s", "event_data": {"index": [1, 2]},
    "trigger_id": 1,
}  # fmt: skip


class Page:
    """The page in a process of its own, on the models of a comparison."""

    def __init__(self, made: Made) -> None:
        if find_spec("gradio") is None:
            raise SkipError("gradio is not installed")
        runs = made.compared
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]

        def serve() -> None:
            from rich.console import Console

            from dysample.workbench.look.models import models_of_page
            from dysample.workbench.look.page import serve

            tempfile.tempdir = str(made.folder)  # it is killed, and cannot clean up
            with serve(models_of_page(runs, None, Console()), "127.0.0.1", self.port):
                time.sleep(10**6)

        self.child = Child(serve, made.folder)
        end = time.monotonic() + 300
        while not self.answers():
            if time.monotonic() > end:
                raise RuntimeError(f"the page does not begin: {self.said()}")
            time.sleep(0.2)
        self.said()
        made.at_the_end(self.close)

    def answers(self) -> bool:
        """Whether a visitor would see it."""
        try:
            return self.ask("GET", "/config", {}, b"")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """Code and beginning of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with closing(connection):
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value.encode("latin-1"))
            if body and "Content-Length" not in headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            # A stream of events has no end.
            stream = "event-stream" in answer.headers.get("Content-Type", "")
            return answer.status, "" if stream else answer.read(5000).decode(errors="replace")

    def raw(self, content: bytes) -> bytes:
        """The answer to bytes that need not be HTTP."""
        with closing(socket.create_connection(("127.0.0.1", self.port), PATIENCE)) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            try:
                return connection.recv(5000)
            except ConnectionResetError:
                return b""

    def said(self) -> str:
        """What it has printed since it was asked."""
        return self.child.said_since()

    def close(self) -> None:
        """End it."""
        self.child.end()


_pages: dict[Path, Page] = {}


def _page(rng: Random, folder: Path, made: Made) -> Outcome:
    if made.folder not in _pages:
        _pages[made.folder] = Page(made)
    page, faults = _pages[made.folder], []
    if rng.random() < 0.2:
        content = (
            f"GET {rng.choice(_PATHS)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc"
        )
        asked: Any = spoiled(rng, content.encode())
        answer = page.raw(asked)
        code = int(answer[9:12]) if answer[9:12].isdigit() else 400
        text = ""
    else:
        asked = _request(rng)
        try:
            code, text = page.ask(*asked)
        except (http.client.HTTPException, ConnectionError):
            code, text = 400, ""  # closed, as for a request that is not HTTP
    if code >= 500:
        faults.append(f"answer {code}: {text[:500]!r}")
    if "Traceback" in text or "root:" in text:
        faults.append(f"an answer that says too much: {text[:1000]!r}")
    if (said := page.said()) and "Traceback" in said:
        faults.append(f"the page printed {said[-1500:]!r}")
    if not page.answers():
        faults.append("the page does not answer any more")
    return Outcome(1, [f"{fault}; asked {asked!r:.1000}" for fault in faults])


def _request(rng: Random) -> tuple[str, str, dict[str, str], bytes]:
    method, path = rng.choice(_METHODS), rng.choice(_PATHS)
    headers = {
        name: rng.choice(values) for name, values in _HEADERS if rng.random() < 0.12
    }  # fmt: skip
    body = b""
    match rng.randrange(4):
        case 0:
            method, path = "POST", f"{API}queue/join"
            event = {**_EVENT, "fn_index": rng.randrange(6)}
            body = as_json(rng, event)[: 2**16]
            headers.setdefault("Content-Type", "application/json")
        case 1:
            method, path = "POST", f"{API}queue/join"
            body = json.dumps(changed(rng, _EVENT)).encode()
            headers.setdefault("Content-Type", "application/json")
        case 2:
            method, path = "POST", f"{API}upload"
            part = b'--mark\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
            body = spoiled(rng, part + rng.randbytes(50) + b"\r\n--mark--\r\n")
            headers.setdefault("Content-Type", "multipart/form-data; boundary=mark")
    if rng.random() < 0.05:
        headers["Content-Length"] = rng.choice(("-1", "x", "0", str(len(body) + 5)))
        if headers["Content-Length"] not in ("-1", "x", "0"):
            headers["Content-Length"] = str(len(body))
    return method, path, headers, body


KINDS = (Kind("page", "requests", 400, _page),)
