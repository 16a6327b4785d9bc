"""A gate in front of the page, which refuses requests of other sites or of unexpected form.

Gradio serves more than this page needs, such as a proxy and files by path. It answers every `Host`,
and reads the files that a request names before the page sees it.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dysample.checks import one_line
from dysample.workbench.look.picture import MOST_BYTES

UPLOADS_A_MINUTE = 20
"""Uploads, of all visitors together, that are taken in any minute."""
UPLOADS_KEPT = 32
"""Uploads on the disk at a time; the oldest make room."""

_API = "/gradio_api/"
_FILE = f"{_API}file="
_UPLOAD, _EVENT = f"{_API}upload", f"{_API}queue/join"
_POSTED = {_UPLOAD: MOST_BYTES + 2**16, _EVENT: 2**16}
"""Paths that accept POST requests, with the largest body in bytes; an upload adds form data."""
_READ = re.compile(
    rf"/|/config|/theme\.css|/favicon\.ico|/(assets|static)/.*|{_FILE}.*"
    rf"|{_API}(app_id|startup-events|upload_progress|queue/data|heartbeat/\w+)"
)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?")
_BOUNDARY = re.compile(r"multipart/form-data; *boundary=\"?([^\"; ]{1,70})\"?")


class Refused(Exception):  # noqa: N818  # it is an answer
    """A request that is not answered.

    Args:
        code: of HTTP.
        reason: one line.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Gate:
    """An ASGI application in front of gradio's.

    Args:
        app: gradio's.
        host: that it listens at.
        folder: of uploads and of pictures that are shown.
        check_event: raises ValueError for an event that is not one of the page's.
    """

    def __init__(
        self, app: ASGIApp, host: str, folder: Path, check_event: Callable[[Any], None]
    ) -> None:
        self.app = app
        self.folder = folder.resolve()
        self.check_event = check_event
        name = host.strip("[]").lower()
        self.names = {name, "localhost"}
        self.alone = name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)
        if not self.alone:
            self.names.add(socket.gethostname().lower())
        self.times: deque[float] = deque(maxlen=UPLOADS_A_MINUTE)
        self.kept: list[Path] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, path, started = Request(scope, receive), scope["path"], False

        async def reply(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    (name, value)
                    for name, value in message["headers"]
                    if not name.lower().startswith(b"access-control-")
                ]
            elif path == _UPLOAD:
                self._keep(message.get("body", b""))
            await send(message)

        try:
            self._check_sender(request)
            self._check_place(request)
            if request.method == "POST":
                receive = _again(await self._body(request), receive)
            await self.app(scope, receive, reply)
        except ClientDisconnect:
            return
        except Exception as error:
            code = error.code if isinstance(error, Refused) else 500
            reason = one_line(error)
            if code == 500:
                sys.stderr.write(f"dysample: {request.method} {path}: {reason}\n")
                reason = "it cannot be answered"
            if not started:
                await PlainTextResponse(f"{reason}\n", code)(scope, receive, send)

    def _check_sender(self, request: Request) -> None:
        """Refuse requests that another site makes a browser send, by `Origin` and `Host`."""
        hosts = request.headers.getlist("host")
        host = hosts[0].lower() if len(hosts) == 1 else ""
        found = _HOST.fullmatch(host)
        if found is None or not self._is_own(found[1].strip("[]")):
            raise Refused(403, f"`Host` (={host!r}) must be an address of this page")
        for origin in request.headers.getlist("origin"):
            if origin.lower() not in (f"http://{host}", f"https://{host}"):
                raise Refused(403, f"`Origin` (={origin!r}) must be this page")
        site = request.headers.get("sec-fetch-site", "none")
        followed = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
        if site not in ("none", "same-origin") and not followed:
            raise Refused(403, f"`Sec-Fetch-Site` (={site!r}) must be 'same-origin'")

    def _is_own(self, name: str) -> bool:
        """Names can be made to point here by others, addresses cannot."""
        if _is_address(name):
            return not self.alone or ip_address(name).is_loopback
        return name in self.names

    def _check_place(self, request: Request) -> None:
        path = request.scope["path"]
        if request.method == "POST" and path in _POSTED:
            return
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, f"`{request.method} {path}` is not of this page")
        if _READ.fullmatch(path) is None or (
            path.startswith(_FILE) and not self._is_in_folder(path.removeprefix(_FILE))
        ):
            raise Refused(404, f"`{path}` is not of this page")

    def _is_in_folder(self, path: str) -> bool:
        try:
            found = Path(path).resolve()
        except (OSError, ValueError, RuntimeError):  # too long, a zero byte, links in a circle
            return False
        return found.is_relative_to(self.folder) and found.is_file()

    async def _body(self, request: Request) -> bytes:
        """Return the body of a request, within the size limit."""
        path, length = request.scope["path"], request.headers.get("content-length", "")
        if not length.isdecimal() or "transfer-encoding" in request.headers:
            raise Refused(411, "`Content-Length` must be given")
        if int(length) > _POSTED[path]:
            async for _ in request.stream():  # who still sends does not hear the answer
                pass
            raise Refused(413, f"`Content-Length` (={length}) must be at most {_POSTED[path]}")
        if path == _UPLOAD:
            self._count_upload()
        body = await request.body()
        if path == _UPLOAD:
            boundary = _BOUNDARY.fullmatch(request.headers.get("content-type", ""))
            # One before the file, one after it.
            if boundary is None or body.count(b"--" + boundary[1].encode()) != 2:
                raise Refused(400, "an upload must be one file")
        else:
            try:
                self._check_event(json.loads(body))
            except (ValueError, RecursionError) as error:
                raise Refused(422, one_line(error)) from error
        return body

    def _check_event(self, event: Any) -> None:
        """Refuse foreign files, and whatever the page refuses."""
        self.check_event(event)
        for value in event["data"]:
            if isinstance(value, dict) and not self._is_in_folder(str(value.get("path"))):
                raise ValueError(f"`path` (={value.get('path')!r}) must be an upload's")

    def _count_upload(self) -> None:
        now = time.monotonic()
        if len(self.times) == UPLOADS_A_MINUTE and now - self.times[0] < 60:
            raise Refused(429, f"at most {UPLOADS_A_MINUTE} uploads a minute are taken")
        self.times.append(now)

    def _keep(self, answer: bytes) -> None:
        """Record the uploads in an answer, and delete the oldest ones."""
        try:
            names = json.loads(answer)
        except ValueError:  # a refusal
            return
        for path in map(Path, names):
            if path in self.kept:
                self.kept.remove(path)
            self.kept.append(path)
        while len(self.kept) > UPLOADS_KEPT:
            self.kept.pop(0).unlink(missing_ok=True)


def _again(body: bytes, receive: Receive) -> Receive:
    """Replay the received body."""
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
