"""Serves a live report over HTTP, to this machine unless somebody decides otherwise."""

import json
import mimetypes
import socket
import threading
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Self
from urllib.parse import unquote, urlsplit

from mobilebench.reports.errors import ReportError
from mobilebench.reports.pages.live import LiveReport
from mobilebench.reports.pages.site import PAGE

STATE = "live.json"
_HTML = ".html"
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


class LiveServer:
    """A server in threads of its own, from entering the context to leaving it."""

    def __init__(self, report: LiveReport, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises ReportError if that cannot be done."""

        class Handler(_Handler):
            live = report

        kind = _Server6 if ":" in host else _Server
        try:
            self._server = kind((host, port), Handler)
        except OSError as error:
            raise ReportError(
                f"port {port} of {host}: {error.strerror}; give another --port, or 0 for a free one"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        named = f"[{host}]" if ":" in host else host
        self.url = f"http://{named}:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    live: LiveReport  # every connection is of one request, so that none outlives the server
    timeout = 60  # seconds that a silent connection is kept

    def do_GET(self) -> None:
        """Answer with a page, another file of the report, or the state."""
        if not self._is_meant():
            self.send_error(HTTPStatus.FORBIDDEN, "Another host's name")
            return
        name = unquote(urlsplit(self.path).path).removeprefix("/") or PAGE
        found: bytes | str | None = None
        if name == STATE:
            found = json.dumps(asdict(self.live.state))
        elif "/" not in name:
            found = self.live.page(name) if name.endswith(_HTML) else self.live.file(name)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content = found.encode() if isinstance(found, str) else found
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        text = kind.startswith("text/") or name == STATE
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if text else kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_GET

    def _is_meant(self) -> bool:
        """Whether a request to loopback names it, and is not a web page's whose name leads here."""
        if not ip_address(self.connection.getsockname()[0]).is_loopback:
            return True
        named = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        return named in _OWN_NAMES

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""
