"""A Cloud Storage on this machine with configurable faults.

`gcp-storage-emulator` keeps the objects. A small proxy in the same process adds conditional writes,
which the emulator lacks, and faults. `python -m tests.storage.object_store` starts one by hand.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_CONTROL = "/_faults"
# The answer that a client sees for each fault; a slow store answers late but correctly.
_ANSWERS = {
    "unavailable": (503, "Service Unavailable"),
    "forbidden": (403, "the caller does not have storage.objects access"),
    "expired": (401, "Anonymous caller does not have storage access"),
    "quota": (429, "The project exceeded its quota for storage"),
}
_KINDS = (*_ANSWERS, "slow", "cut", "hang", "lost", "wrong")


@dataclass
class Fault:
    """A fault for matching requests.

    Attributes:
      kind: `unavailable` (503), `forbidden`, `expired`, `quota`, `slow`, `cut` (the answer breaks
        off in its middle), `hang` (no answer), `lost` (done, but never answered), `wrong`
        (a byte of the answer is another).
      match: regular expression, searched in `METHOD path?query`.
      times: number of affected requests; -1 is all.
      seconds: delay of `slow`.
    """

    kind: str
    match: str = ""
    times: int = -1
    seconds: float = 0.0
    met: int = field(default=0)

    def meets(self, line: str) -> bool:
        """Returns whether the fault affects this request, and counts it."""
        if self.times == self.met or not re.search(self.match, line):
            return False
        self.met += 1
        return True


class ObjectStore:
    """A store in a separate process.

    Attributes:
      url: `http://127.0.0.1:PORT` of the proxy.
      environment: variables that direct gcsfs, TensorStore and ArrayRecord to the store.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.storage.object_store"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the object store did not start; its own message says why")
        self.environment = {
            "STORAGE_EMULATOR_HOST": self.url,
            "TENSORSTORE_GCS_HTTP_URL": self.url,
            "CLOUD_STORAGE_EMULATOR_ENDPOINT": self.url,
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": "x",
            "EPATH_USE_TF": "false",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def bucket(self, name: str) -> str:
        """Creates a bucket; returns its URL."""
        self._post("/storage/v1/b?project=p", {"name": name})
        return f"gs://{name}"

    def misbehave(self, kind: str, match: str = "", times: int = -1, seconds: float = 0.0) -> None:
        """Adds a fault; see `Fault`."""
        assert kind in _KINDS, kind
        fault = {"kind": kind, "match": match, "times": times, "seconds": seconds}
        self._post(_CONTROL, fault)

    def behave(self) -> list[dict[str, Any]]:
        """Removes all faults; returns them, with the number of requests that each has `met`."""
        request = urllib.request.Request(f"{self.url}{_CONTROL}", method="DELETE")
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def requests(self) -> list[str]:
        """Returns the requests since the last call, as `METHOD path?query`."""
        with urllib.request.urlopen(f"{self.url}{_CONTROL}", timeout=20) as answer:
            found: list[str] = json.load(answer)
        return found

    def close(self) -> None:
        """Ends the store and drops its contents."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _post(self, path: str, content: Mapping[str, Any]) -> None:
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()


@contextlib.contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Starts a store that runs while the context is open."""
    store = ObjectStore()
    try:
        yield store
    finally:
        store.close()


class _Proxy(BaseHTTPRequestHandler):
    """Passes requests on, unless a fault affects them."""

    protocol_version = "HTTP/1.1"
    backend: tuple[str, int]
    faults: list[Fault]
    seen: list[str]
    writing: threading.Lock

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self._chunked() if self._is_chunked() else self.rfile.read(length)
        if self.path == _CONTROL:
            self._control(body)
            return
        line = f"{self.command} {urllib.parse.unquote(self.path)}"
        self.seen.append(line)
        kinds = {fault.kind: fault for fault in self.faults if fault.meets(line)}
        if "slow" in kinds:
            time.sleep(kinds["slow"].seconds)
        if "hang" in kinds:
            time.sleep(3600)
        for kind, (status, reason) in _ANSWERS.items():
            if kind in kinds:
                self._answer(status, _error(status, reason))
                return
        status, headers, content = self._pass_on(body)
        if "lost" in kinds:
            self._break_off()
            return
        if "wrong" in kinds and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self._answer(status, content, headers, cut="cut" in kinds)

    def handle(self) -> None:
        """Answers until the client disconnects, which may happen at any time."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _any  # noqa: N815

    def _is_chunked(self) -> bool:
        return "chunked" in (self.headers.get("Transfer-Encoding") or "")

    def _chunked(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _control(self, body: bytes) -> None:
        if self.command == "POST":
            self.faults.append(Fault(**json.loads(body)))
            self._answer(200, b"{}")
        elif self.command == "DELETE":
            met = [vars(fault) for fault in self.faults]
            self.faults.clear()
            self._answer(200, json.dumps(met).encode())
        else:
            seen = list(self.seen)
            self.seen.clear()
            self._answer(200, json.dumps(seen).encode())

    def _pass_on(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        # The emulator does not support it, and for a 501 clients retry for a minute.
        if "/moveTo/" in self.path:
            return 400, {}, _error(400, "moveTo is not known here")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        # The first part of a multi-part upload has the object's name.
        named = re.search(rb'"name":\s*("(?:[^"\\]|\\.)*")', body[:4096])
        if self.command == "POST" and "name" not in query and named:
            query["name"] = [json.loads(named[1])]
        if query.get("uploadType") == ["media"] and not body:
            return self._pass_on_empty(query)
        wanted, is_read = query.get("ifGenerationMatch"), query.get("alt") == ["media"]
        if wanted is None and not is_read:
            return self._ask(self.command, self.path, body, self.headers)
        # One request at a time, so that the compared version is the replaced or read one.
        with self.writing:
            generation = self._generation(query)
            if wanted is not None and generation != wanted[0]:
                return 412, {}, _error(412, "conditionNotMet")
            status, headers, content = self._ask(self.command, self.path, body, self.headers)
        # TensorStore needs this when it rewrites what it has read; the emulator leaves it out.
        told = {"x-goog-generation": generation} if is_read and status < 300 else {}
        return status, {**headers, **told}, content

    def _pass_on_empty(
        self, query: Mapping[str, list[str]]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Writes an empty object, which the emulator accepts only as a multi-part upload."""
        self.path = self.path.replace("uploadType=media", "uploadType=multipart")
        name = json.dumps({"name": query["name"][0]})
        parts = f"--x\nContent-Type: application/json\n\n{name}\n--x\nContent-Type: a/b\n\n\n--x--"
        self.headers.replace_header("Content-Type", 'multipart/related; boundary="x"')
        return self._pass_on(parts.encode())

    def _generation(self, query: Mapping[str, list[str]]) -> str:
        path = urllib.parse.urlsplit(self.path).path
        path = path.removeprefix("/upload").removeprefix("/download")
        if "name" in query:
            path = f"{path}/{urllib.parse.quote(query['name'][0], safe='')}"
        status, _, content = self._ask("GET", path, b"", {})
        return "0" if status == 404 else str(json.loads(content)["generation"])

    def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        passed = {
            name: value
            for name, value in headers.items()
            if name.lower() not in ("transfer-encoding", "content-length", "connection")
        }
        connection = http.client.HTTPConnection(*self.backend, timeout=60)
        try:
            connection.request(method, path, body, passed | {"Content-Length": str(len(body))})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(
        self,
        status: int,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {"Content-Type": "application/json"}).items():
            if name.lower() not in ("content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self._break_off()

    def _break_off(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _error(code: int, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message}}).encode()


def _serve() -> None:
    from gcp_storage_emulator import server

    logging.disable()
    emulator = server.Server("127.0.0.1", 0, in_memory=True)
    emulator.start()
    while (inner := emulator._api._httpd) is None:  # it has no public way to choose a free port
        time.sleep(0.01)
    _Proxy.backend = inner.server_address[:2]
    _Proxy.faults, _Proxy.seen, _Proxy.writing = [], [], threading.Lock()
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer.request_queue_size = 128
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    print(f"http://127.0.0.1:{proxy.server_address[1]}", flush=True)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    proxy.serve_forever()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    _serve()
