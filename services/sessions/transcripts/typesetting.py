"""Sets a transcript as PDF: `python -m services.sessions.transcripts.typesetting`, JSON in, PDF out.

Latin is set in a font that goes with the document. Korean, Japanese and Chinese are named in it by the fonts
that PDF viewers know (the character collections of ISO 32000), so that no large font has to be shipped: the
viewer brings the glyphs. A character that none of them has is shown as a box.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

_LATIN = "Vera"
_MISSING = "\u25a1"
_COLLECTIONS = {
    "euc_kr": "HYSMyeongJo-Medium",
    "shift_jis": "HeiseiMin-W3",
    "gbk": "STSong-Light",
    "big5": "MSung-Light",
}
_TITLE = ParagraphStyle("title", fontName=_LATIN, fontSize=16, leading=21, spaceAfter=2 * mm)
_HEADING = ParagraphStyle(
    "heading", fontName=_LATIN, fontSize=9, leading=13, spaceBefore=4 * mm, textColor="#555555"
)
_PROSE = ParagraphStyle("prose", fontName=_LATIN, fontSize=10, leading=15)
_CODE = ParagraphStyle(
    "code", fontName=_LATIN, fontSize=8, leading=12, leftIndent=4 * mm, textColor="#333333"
)


def main() -> None:
    """Reads the transcript from standard input and writes the PDF to standard output."""
    _register()
    sys.stdout.buffer.write(document(json.load(sys.stdin.buffer)))


def document(wanted: dict[str, Any]) -> bytes:
    """Answers the PDF of a transcript: title, model, id and entries."""
    out = io.BytesIO()
    story: list[Any] = [_paragraph(wanted["title"] or "Chat session", _TITLE)]
    story.append(_paragraph(f"{wanted['model']} - {wanted['id']}", _HEADING))
    for each in wanted["entries"]:
        story.append(_paragraph(each["heading"], _HEADING))
        for passage in each["passages"]:
            style = _CODE if passage["code"] else _PROSE
            # A line a paragraph: one of a thousand lines would be laid out again on each page.
            story += [_paragraph(line, style) for line in passage["text"].splitlines()]
        story.append(Spacer(1, 1 * mm))
    SimpleDocTemplate(out, pagesize=A4, title=wanted["title"] or "Chat session").build(story)
    return out.getvalue()


def _register() -> None:
    pdfmetrics.registerFont(TTFont(_LATIN, "Vera.ttf"))
    for name in _COLLECTIONS.values():
        pdfmetrics.registerFont(UnicodeCIDFont(name))


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    runs = [(font, "".join(run)) for font, run in _runs(text)]
    marked = "".join(f'<font name="{font}">{escape(run)}</font>' for font, run in runs)
    asian = any(font != _LATIN for font, _ in runs)
    return Paragraph(marked, ParagraphStyle(style.name, parent=style, wordWrap="CJK" if asian else None))


def _runs(text: str) -> list[tuple[str, list[str]]]:
    """Cuts a text where its font changes."""
    placed = [_placed(each) for each in text if each.isprintable() or each == "\t"]
    return [
        (font, [each for _, each in run]) for font, run in itertools.groupby(placed, key=lambda pair: pair[0])
    ]


def _placed(character: str) -> tuple[str, str]:
    """Answers the font of a character, and the character, or a box in its place."""
    if character.isascii() or ord(character) in pdfmetrics.getFont(_LATIN).face.charToGlyph:
        return _LATIN, character
    for encoding, font in _COLLECTIONS.items():
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            continue
        return font, character
    return _COLLECTIONS["euc_kr"], _MISSING


if __name__ == "__main__":
    main()
