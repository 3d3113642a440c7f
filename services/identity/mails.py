"""The mails that identity writes: plain text, and the same as minimal HTML."""

from __future__ import annotations

from email.message import EmailMessage
from html import escape
from urllib.parse import urlencode

PRODUCT = "wrtn"


def verification(sender: str, address: str, token: str, public_url: str | None) -> EmailMessage:
    """Asks the reader to prove the address, by a link where there is a page that takes it, and by a code.

    The code stands on a line of its own, for people and scripts.
    """
    link = f"{public_url.rstrip('/')}/verify-email?{urlencode({'token': token})}" if public_url else None
    ways = (
        ("To verify it within 24 hours, open this link:", link, "or enter this code:")
        if link
        else ("To verify it within 24 hours, enter this code:",)
    )
    return _composed(
        sender,
        address,
        f"Verify your email address for {PRODUCT}",
        (
            f"Somebody, probably you, registered this address with {PRODUCT}.",
            *ways,
            f"Code: {token}",
            "If it was not you, ignore this mail: without the code nothing happens.",
        ),
    )


def already_registered(sender: str, address: str, public_url: str | None) -> EmailMessage:
    """Tells the owner of an address that somebody tried to register it again."""
    return _composed(
        sender,
        address,
        f"You are already registered with {PRODUCT}",
        (
            f"Somebody, probably you, tried to register this address with {PRODUCT} again.",
            "It is registered already: sign in with it as before.",
            *([public_url] if public_url else []),
            "If it was not you, ignore this mail: nothing has changed.",
        ),
    )


def _composed(sender: str, address: str, subject: str, lines: tuple[str, ...]) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    # Unencoded, so that a long link stays on its line also for who reads the raw mail.
    message.set_content("\n\n".join(lines) + "\n", cte="7bit")
    message.add_alternative("".join(map(_paragraph, lines)), subtype="html", cte="7bit")
    return message


def _paragraph(line: str) -> str:
    text = escape(line)
    return (
        f'<p><a href="{text}">{text}</a></p>\n'
        if line.startswith(("http://", "https://"))
        else f"<p>{text}</p>\n"
    )
