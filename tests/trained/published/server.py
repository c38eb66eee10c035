"""A local web server with given answers, which records its requests."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass
class Answer:
    """The answer to one request.

    Attributes:
      status: HTTP status.
      body: content of the whole file.
      sent: bytes sent before the connection is closed; None is all.
      claimed: `Content-Length`; None is the true one.
      location: target of a redirect.
      etag: `ETag` of the file.
      ranges: whether the server supports range requests.
    """

    status: int = 200
    body: bytes = b""
    sent: int | None = None
    claimed: int | None = None
    location: str = ""
    etag: str = '"one"'
    ranges: bool = True


class Server:
    """Gives its answers one after another; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""
        self.before: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def next(self, path: str, wanted: str | None) -> Answer:
        """Returns the answer to a request for a path or for a range of it."""
        with self._lock:
            self.asked.append((path, wanted))
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Runs a server while the context is open."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            answer = told.next(self.path, wanted)
            told.before()
            _send(self, answer, wanted)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        told.url = f"http://127.0.0.1:{server.server_address[1]}/weights.pth"
        yield told
        server.shutdown()
        thread.join()


def _send(handler: BaseHTTPRequestHandler, answer: Answer, wanted: str | None) -> None:
    first, status = 0, answer.status
    if status == 200 and answer.ranges and wanted is not None:
        first, status = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]), 206
    body = answer.body[first:]
    handler.send_response(status)
    if answer.location:
        handler.send_header("Location", answer.location)
    if status == 206:
        total = len(answer.body)
        handler.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
    if answer.ranges:
        handler.send_header("Accept-Ranges", "bytes")
    claimed = len(body) if answer.claimed is None else answer.claimed
    handler.send_header("Content-Length", str(claimed))
    handler.send_header("ETag", answer.etag)
    handler.send_header("Connection", "close")
    handler.end_headers()
    # Clients close the connection once they have the file, or at a timeout.
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(body[: answer.sent])
    handler.close_connection = True
