import hashlib
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import download


class Server:
    """Files over HTTP on the loopback device, with the faults of real servers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []  # path and Range header of every request
        self.ranges = True
        self.cuts: list[int] = []  # for the next requests: close the connection after so many bytes
        self.hold: threading.Event | None = None  # the next request waits for it before its last byte
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                server.asked.append((self.path, wanted))
                content = server.files.get(self.path)
                if content is None:
                    return self.send_error(404)
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
                if start and start >= len(content):
                    return self.send_error(416)
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.send_header("Connection", "close")
                self.end_headers()
                stop = start + server.cuts.pop(0) if server.cuts else len(content)
                hold, server.hold = server.hold, None
                if hold:
                    self.wfile.write(content[start : stop - 1])
                    hold.wait(20)
                    start = stop - 1
                self.close_connection = True
                with suppress(BrokenPipeError, ConnectionResetError):  # the client was killed
                    self.wfile.write(content[start:stop])

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let every test of this folder have its own main checkout, no mirror and no pauses."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "checkout"))
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    return tmp_path / "checkout"


@pytest.fixture
def md5():
    return lambda content: f"md5:{hashlib.md5(content).hexdigest()}"


@pytest.fixture
def cifar_pickle():
    """Write a batch as the official files are written: protocol 2 of Python 2, texts as byte strings."""

    def write(
        images: np.ndarray, labels: list[int], reconstruct: bytes = b"numpy.core.multiarray\n_reconstruct\n"
    ) -> bytes:
        kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ" + b"\xff" * 4 + b"J" + b"\xff" * 4 + b"K\x00tb"
        return b"".join(
            [
                b"\x80\x02}(U\x0bbatch_labelU\x07a batch",
                b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e",
                b"U\x04datac" + reconstruct + b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R",
                b"(K\x01M" + struct.pack("<H", len(images)) + b"M\x00\x0c\x86" + kind + b"\x89",
                b"T" + struct.pack("<i", images.nbytes) + images.tobytes() + b"tbu.",
            ]
        )

    return write
