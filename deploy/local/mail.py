"""Catches all mail of a local suite: SMTP in, a page and JSON out. Nothing leaves the machine.

    python -m deploy.local.mail FOLDER --smtp HOST:PORT --http HOST:PORT

`/` shows the newest mails, `/messages` answers them as JSON (`?to=ADDRESS` filters), `/messages/ID`
the text of one. Mails stay in FOLDER, a Maildir, across runs.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import html
import json
import mailbox
import signal
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypedDict
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

NEWEST = 100
HEAD = """<!doctype html>
<meta charset=utf-8><meta name=viewport content="width=device-width"><title>Mail</title>
<style>
  body { font: 16px/1.5 system-ui; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
  pre { white-space: pre-wrap }
</style>
"""


class Mail(TypedDict):
    """One caught mail, as answered."""

    id: str
    to: str
    subject: str
    date: str
    text: str


class Catcher:
    """Writes each mail into the Maildir, whole or not at all; the SMTP server calls it."""

    def __init__(self, folder: Path) -> None:
        self._box = mailbox.Maildir(folder)
        self._lock = threading.Lock()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Stores a mail and says so; the name is aiosmtpd's."""
        content = (
            envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        )
        with self._lock:
            self._box.add(content)
        return "250 Caught"

    def newest(self, to: str | None) -> list[Mail]:
        """Answers the newest mails first, at most 100."""
        with self._lock:
            names = sorted(self._box.keys(), key=_age, reverse=True)
            mails = (read(name, self._box.get_bytes(name)) for name in names)
            wanted = (mail for mail in mails if to is None or to.lower() in mail["to"].lower())
            return [mail for mail, _ in zip(wanted, range(NEWEST), strict=False)]

    def one(self, name: str) -> Mail | None:
        """Answers one mail."""
        with self._lock:
            return read(name, self._box.get_bytes(name)) if name in self._box else None


def _age(name: str) -> tuple[float, str]:
    """A Maildir name begins with the second, then Mmicroseconds, in which it came."""
    second, _, rest = name.partition(".")
    microsecond = rest.partition("M")[2].partition("P")[0]
    return float(second) + float(microsecond or 0) / 1e6, name


def read(name: str, content: bytes) -> Mail:
    """Reads the headers and the plain text of a mail."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    return Mail(
        id=name,
        to=str(message["to"] or ""),
        subject=str(message["subject"] or ""),
        date=str(message["date"] or ""),
        text=body.get_content().replace("\r\n", "\n") if body else "",
    )


def page(mails: list[Mail]) -> str:
    """Draws the newest mails as one page."""
    rows = "".join(
        f"<article><h2>{html.escape(mail['subject'])}</h2><p>to {html.escape(mail['to'])}, "
        f"{html.escape(mail['date'])}</p><pre>{html.escape(mail['text'])}</pre></article>"
        for mail in mails
    )
    return f"{HEAD}<h1>Caught mail</h1>{rows or '<p>Nothing yet.</p>'}"


def handler(catcher: Catcher) -> type[BaseHTTPRequestHandler]:
    """Builds the HTTP handler of a catcher."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            to = parse_qs(place.query).get("to", [None])[0]
            if place.path == "/":
                self._answer("text/html; charset=utf-8", page(catcher.newest(None)))
            elif place.path == "/messages":
                self._answer("application/json", json.dumps(catcher.newest(to)))
            elif mail := catcher.one(place.path.removeprefix("/messages/")):
                self._answer("text/plain; charset=utf-8", mail["text"])
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _answer(self, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing of each request."""

    return Handler


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser("deploy.local.mail", description="Catches mail on this machine.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--smtp", required=True, metavar="HOST:PORT")
    parser.add_argument("--http", required=True, metavar="HOST:PORT")
    arguments = parser.parse_args()
    catcher = Catcher(arguments.folder)
    smtp_host, _, smtp_port = arguments.smtp.rpartition(":")
    http_host, _, http_port = arguments.http.rpartition(":")
    smtp = Controller(catcher, hostname=smtp_host, port=int(smtp_port))
    web = ThreadingHTTPServer((http_host, int(http_port)), handler(catcher))
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    smtp.start()
    threading.Thread(target=web.serve_forever, daemon=True).start()
    stopped.wait()
    web.shutdown()
    smtp.stop()


if __name__ == "__main__":
    main()
