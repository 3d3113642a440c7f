"""Sets a transcript as PDF: `python -m services.sessions.transcripts.typesetting`, JSON in, PDF out."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import SimpleDocTemplate, Spacer

from chassis.typesetting.fonts import LATIN, paragraph, register

_TITLE = ParagraphStyle("title", fontName=LATIN, fontSize=16, leading=21, spaceAfter=2 * mm)
_HEADING = ParagraphStyle(
    "heading", fontName=LATIN, fontSize=9, leading=13, spaceBefore=4 * mm, textColor="#555555"
)
_PROSE = ParagraphStyle("prose", fontName=LATIN, fontSize=10, leading=15)
_CODE = ParagraphStyle("code", fontName=LATIN, fontSize=8, leading=12, leftIndent=4 * mm, textColor="#333333")


def main() -> None:
    """Reads the transcript from standard input and writes the PDF to standard output."""
    register()
    sys.stdout.buffer.write(document(json.load(sys.stdin.buffer)))


def document(wanted: dict[str, Any]) -> bytes:
    """Answers the PDF of a transcript: title, subject, id and entries."""
    out = io.BytesIO()
    story: list[Any] = [paragraph(wanted["title"], _TITLE)]
    story.append(paragraph(f"{wanted['subject']} - {wanted['id']}", _HEADING))
    for each in wanted["entries"]:
        story.append(paragraph(each["heading"], _HEADING))
        for passage in each["passages"]:
            style = _CODE if passage["code"] else _PROSE
            # A line a paragraph: one of a thousand lines would be laid out again on each page.
            story += [paragraph(line, style) for line in passage["text"].splitlines()]
        story.append(Spacer(1, 1 * mm))
    SimpleDocTemplate(out, pagesize=A4, title=wanted["title"]).build(story)
    return out.getvalue()


if __name__ == "__main__":
    main()
