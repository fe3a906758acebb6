# SPDX-License-Identifier: Apache-2.0
"""A web server on this machine that continues downloads, breaks them off, or refuses, as a test asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """``files`` by name; ``cut`` closes every connection after so many bytes; ``ranges`` off: always the whole file."""

    files: dict[str, bytes]
    tag: str = '"one"'
    cut: int | None = None
    ranges: bool = True
    sent: list[tuple[str, int, int]] = field(default_factory=list)  # name, from, bytes
    url: str = ""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """The site, reachable at ``site.url``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, name = self.site, self.path.lstrip("/")
        if name not in site.files:
            self.send_error(404)
            return
        body, start = site.files[name], 0
        asked = self.headers.get("Range")
        if asked and site.ranges and self.headers.get("If-Range") == site.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", site.tag)
        self.end_headers()
        part = body[start : start + site.cut] if site.cut is not None else body[start:]
        site.sent.append((name, start, len(part)))
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass
