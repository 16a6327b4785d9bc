"""The page's server, asked as other sites, other machines and other programs would."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="gradio is not installed: pip install 'dysample[demo]'")

from rich.console import Console

from dysample.workbench.look import gate
from dysample.workbench.look.gate import Gate
from dysample.workbench.look.models import models_of_page
from dysample.workbench.look.page import serve

pytestmark = [
    pytest.mark.usefixtures("loops_end"),
    # The server's own sockets and loops.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
API = "/gradio_api/"
LOAD, SCENE, MODEL, UPLOAD, CLICK = range(5)
PATIENCE = 120


class Answer(NamedTuple):
    code: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Server:
    """Plain requests to the page."""

    def __init__(self, address: str) -> None:
        self.host = address.removeprefix("http://").rstrip("/")

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Host": self.host, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def join(self, event: Any, **headers: str) -> Answer:
        body = event if isinstance(event, str) else json.dumps(event)
        return self(
            "POST", f"{API}queue/join", body, {"Content-Type": "application/json"} | headers
        )

    def upload(self, *contents: bytes, name: str = "a.png", **headers: str) -> Answer:
        part = '--mark\r\nContent-Disposition: form-data; name="files"; filename="{}"\r\n\r\n'
        parts = [part.format(name).encode() + content + b"\r\n" for content in contents]
        kind = {"Content-Type": "multipart/form-data; boundary=mark"}
        return self("POST", f"{API}upload", b"".join([*parts, b"--mark--\r\n"]), kind | headers)

    def result(self, event: dict[str, Any]) -> dict[str, Any]:
        """What the page is told when the event was worked on."""
        session = f"session{time.monotonic_ns()}"
        joined = self.join({"session_hash": session, **event})
        assert joined.code == 200, joined.text
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        connection.request("GET", f"{API}queue/data?session_hash={session}")
        with connection.getresponse() as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    told = json.loads(line.removeprefix(b"data:"))
                    if told["msg"] == "process_completed":
                        connection.close()
                        return told
        raise AssertionError("the stream ended before the event")


@pytest.fixture(scope="module")
def labels(compared: Path) -> dict[str, Path]:
    return models_of_page(compared, None, Console())


@pytest.fixture(scope="module")
def server(labels: dict[str, Path]) -> Iterator[Server]:
    with serve(labels, "127.0.0.1", None) as address:
        yield Server(address)


@pytest.fixture
def event(labels: dict[str, Path]) -> dict[str, Any]:
    return {"fn_index": LOAD, "data": [next(iter(labels)), 0], "event_data": None}


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory of the uploads of other tests."""
    monkeypatch.setattr(Gate, "_count_upload", lambda self: None)


def png(seed: int = 0) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example",
        "evil@127.0.0.1", "0.0.0.0", "192.168.0.7", "[::2]", "127.0.0.1/x", "localhost.", "", "?",
    ],
)  # fmt: skip
def test_other_hosts_are_refused(server: Server, event: dict, host: str) -> None:
    for answer in (
        server("GET", "/", headers={"Host": host}),
        server("GET", "/config", headers={"Host": host}),
        server.join(event, Host=host),
        server.upload(png(), Host=host),
    ):
        assert answer.code == 403
        assert answer.text == f"`Host` (={host!r}) must be an address of this page\n"


def test_our_own_names_are_answered(server: Server) -> None:
    port = server.host.partition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", "127.0.0.2", "[::1]:80"):
        assert server("GET", "/config", headers={"Host": host}).code == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:3000", "https://127.0.0.1", "file://", ""],
)
def test_other_origins_are_refused_and_not_echoed(server: Server, event: dict, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (
        server("GET", "/", headers={"Origin": origin}),
        server("OPTIONS", f"{API}queue/join", headers=asked),
        server.join(event, Origin=origin),
        server.upload(png(), Origin=origin),
        # As after a rebound name.
        server("GET", "/config", headers={"Origin": origin, "Host": "evil.example"}),
    ):
        assert answer.code == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_our_own_origin_needs_no_permission(server: Server) -> None:
    answer = server("GET", "/config", headers={"Origin": f"http://{server.host}"})
    assert answer.code == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_requests_that_another_page_makes_without_an_origin(server: Server) -> None:
    for site in ("cross-site", "same-site"):
        mark = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert server("GET", f"{API}startup-events", headers=mark).code == 403
        followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
        assert server("GET", "/", headers=followed).code == 200  # a link to the page


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "file=/etc/passwd", 404),
        ("GET", "file=../../etc/passwd", 404),
        ("GET", "file=%2Fetc%2Fpasswd", 404),
        ("GET", "file=http://127.0.0.1:9/", 404),
        ("GET", "file=a%00b", 404),
        ("GET", f"file={'a' * 5000}", 404),
        ("GET", "proxy=http://127.0.0.1:9/", 404),
        ("GET", "stream/a/b/1/playlist.m3u8", 404),
        ("GET", "runs", 404),
        ("POST", "run/on_scene", 405),
        ("POST", "call/on_scene", 405),
        ("POST", "process_recording", 405),
        ("POST", "component_server", 405),
        ("POST", "reset", 405),
        ("PUT", "upload", 405),
        ("DELETE", "queue/join", 405),
    ],
)
def test_what_the_page_does_not_need_is_not_there(
    server: Server, method: str, path: str, code: int
) -> None:
    assert server(method, API + path, b"{}" if method != "GET" else None).code == code
    assert server("GET", "/monitoring").code == 404


MALFORMED: list[Any] = [
    "", "{", "[]", "null", "NaN", "[" * 20_000, '{"fn_index": 0}', "\x00",
    {"fn_index": 99, "data": []},
    {"fn_index": "0", "data": []},
    {"fn_index": None, "data": []},
    {"fn_index": True, "data": []},
    {"fn_index": 0, "data": None},
    {"fn_index": 0, "data": {}},
    {"fn_index": 0, "data": [1]},
    {"fn_index": 0, "data": ["no model", 0]},
    {"fn_index": 0, "data": [["MODEL"], 0]},
    {"fn_index": 0, "data": ["MODEL", "5"]},
    {"fn_index": 0, "data": ["MODEL", -1]},
    {"fn_index": 0, "data": ["MODEL", 1e9]},
    {"fn_index": 0, "data": ["MODEL", float("nan")]},
    {"fn_index": 0, "data": ["MODEL", None]},
    {"fn_index": 0, "data": ["MODEL", {"path": "/etc/passwd"}]},
    {"fn_index": UPLOAD, "data": ["MODEL", None]},
    {"fn_index": UPLOAD, "data": ["MODEL", "/etc/passwd"]},
    {"fn_index": UPLOAD, "data": ["MODEL", {}]},
    {"fn_index": UPLOAD, "data": ["MODEL", {"path": "/etc/passwd"}]},
    {"fn_index": UPLOAD, "data": ["MODEL", {"path": "../secret"}]},
    {"fn_index": UPLOAD, "data": ["MODEL", {"path": "http://127.0.0.1:9/a.png"}]},
    {"fn_index": UPLOAD, "data": ["MODEL", {"path": "HTTP://127.0.0.1:9/a.png"}]},
    {"fn_index": UPLOAD, "data": ["MODEL", {"path": ["a"]}]},
    {"fn_index": UPLOAD, "data": ["MODEL", {"url": "http://127.0.0.1:9/a.png"}]},
    {"fn_index": UPLOAD, "data": ["MODEL", [{"path": "/etc/passwd"}]]},
    {"fn_index": CLICK, "data": ["MODEL", None]},
    {"fn_index": CLICK, "data": ["MODEL", None], "event_data": []},
    {"fn_index": CLICK, "data": ["MODEL", None], "event_data": {"index": [1]}},
    {"fn_index": CLICK, "data": ["MODEL", None], "event_data": {"index": [1, "2"]}},
    {"fn_index": CLICK, "data": ["MODEL", None], "event_data": {"index": [-1, 1e300]}},
    {"fn_index": 0, "data": ["MODEL", 0], "session_hash": None},
    {"fn_index": 0, "data": ["MODEL", 0], "session_hash": {}},
    {"fn_index": 0, "data": ["MODEL", 0], "session_hash": "s", "trigger_id": "x"},
    {"fn_index": 0, "data": ["MODEL", 0], "session_hash": "s", "batched": "perhaps"},
]  # fmt: skip


def test_malformed_events_are_a_line_and_print_nothing(
    server: Server, event: dict, capfd: pytest.CaptureFixture[str]
) -> None:
    label = event["data"][0]
    for malformed in MALFORMED:
        body = malformed if isinstance(malformed, str) else json.dumps(malformed)
        answer = server.join(body.replace('"MODEL"', json.dumps(label)))
        assert 400 <= answer.code < 500, (malformed, answer)
        assert answer.text.count("\n") <= 1
        assert len(answer.text) < 1000
    assert server.join({**event, "data": ["x" * 2**17, 0]}).code == 413
    assert server("POST", f"{API}queue/join", iter([b"{}"])).code == 411  # in chunks
    assert capfd.readouterr() == ("", "")


def test_whatever_fails_within_is_a_line(
    server: Server, event: dict, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    def broken(self: Gate, path: str) -> bool:
        raise OSError("a disk\nthat is gone")

    monkeypatch.setattr(Gate, "_is_in_folder", broken)
    answer = server("GET", f"{API}file=a")
    assert (answer.code, answer.text) == (500, "it cannot be answered\n")
    said = f"dysample: GET {API}file=a: a disk that is gone\n"
    assert capfd.readouterr().err == said


def test_an_event_of_the_page_s_own_is_worked_on(server: Server, event: dict, fast: None) -> None:
    told = server.result(event)
    assert told["success"]
    figure = told["output"]["data"][3]
    assert server("GET", f"{API}file={figure['path']}").body.startswith(b"\x89PNG")
    [path] = json.loads(server.upload(png()).body)
    uploaded = {"path": path, "meta": {"_type": "gradio.FileData"}}
    # An address beside the path is not followed: nothing listens there.
    uploaded["url"] = "http://127.0.0.1:9/a.png"
    told = server.result({"fn_index": UPLOAD, "data": [event["data"][0], uploaded]})
    assert told["success"]
    assert "a.png, 60x40" in told["output"]["data"][4]


def test_a_file_that_is_no_image_is_a_message(
    server: Server, event: dict, fast: None, capfd: pytest.CaptureFixture[str]
) -> None:
    [path] = json.loads(server.upload(b"%!PS").body)
    uploaded = {"path": path, "meta": {"_type": "gradio.FileData"}}
    told = server.result({"fn_index": UPLOAD, "data": [event["data"][0], uploaded]})
    assert not told["success"]
    assert "a.png" in told["output"]["error"]
    assert "\n" not in told["output"]["error"]
    assert capfd.readouterr() == ("", "")


def test_one_file_at_a_time(server: Server, fast: None) -> None:
    assert server.upload(b"a", b"b").text == "an upload must be one file\n"
    assert server.upload().code == 400
    wrong = {"Content-Type": "text/plain"}
    assert server("POST", f"{API}upload", b"x", wrong).code == 400
    heavy = server.upload(bytes(20 * 2**20), bytes(2**17))
    assert (heavy.code, "must be at most" in heavy.text) == (413, True)


def test_names_of_uploads_stay_in_the_folder(server: Server, fast: None) -> None:
    for name in ("../../../../tmp/up.png", "/etc/up.png", "a/../../up.png", ".."):
        answer = server.upload(png(), name=name)
        if answer.code == 200:
            [path] = json.loads(answer.body)
            assert "dysample-demo-" in str(Path(path).resolve())


def test_old_uploads_make_room(server: Server, fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "UPLOADS_KEPT", 3)
    paths = [Path(json.loads(server.upload(f"{number}".encode()).body)[0]) for number in range(5)]
    # What was sent once more is new again.
    assert json.loads(server.upload(b"2").body) == [str(paths[2])]
    server.upload(b"5")
    assert [path.exists() for path in paths] == [False, False, True, False, True]


def test_uploads_are_limited_in_time(server: Server) -> None:
    codes = [server.upload(b"x").code for _ in range(gate.UPLOADS_A_MINUTE + 3)]
    assert codes[: gate.UPLOADS_A_MINUTE].count(200) >= gate.UPLOADS_A_MINUTE - 1
    assert codes[-3:] == [429] * 3
    assert "uploads a minute" in server.upload(b"x").text


def test_a_page_for_others_has_the_machine_s_names(tmp_path: Path) -> None:
    def names(host: str) -> list[str]:
        asked = ("127.0.0.1", "192.168.0.7", "::1", "localhost", "box", "evil.example")
        return [name for name in asked if Gate(None, host, tmp_path, print)._is_own(name)]

    alone = ["127.0.0.1", "::1", "localhost"]
    assert names("127.0.0.1") == names("localhost") == names("[::1]") == alone
    assert names("0.0.0.0") == ["127.0.0.1", "192.168.0.7", "::1", "localhost"]
    assert names("box") == ["127.0.0.1", "192.168.0.7", "::1", "localhost", "box"]
