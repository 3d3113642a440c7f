"""Paragraphs of texts in any script. For the process that sets them; it needs reportlab.

Latin is set in a font that goes with the document. Korean, Japanese and Chinese are named in it by the fonts
that PDF viewers know (the character collections of ISO 32000), so that no large font has to be shipped: the
viewer brings the glyphs. A character that none of them has is shown as a box.
"""

from __future__ import annotations

import itertools
from xml.sax.saxutils import escape

from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph

LATIN = "Vera"
_MISSING = "\u25a1"
_COLLECTIONS = {
    "euc_kr": "HYSMyeongJo-Medium",
    "shift_jis": "HeiseiMin-W3",
    "gbk": "STSong-Light",
    "big5": "MSung-Light",
}


def register() -> None:
    """Makes the fonts known; before anything is set."""
    pdfmetrics.registerFont(TTFont(LATIN, "Vera.ttf"))
    for name in _COLLECTIONS.values():
        pdfmetrics.registerFont(UnicodeCIDFont(name))


def paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    """Answers a paragraph of plain text, whatever its script."""
    runs = [(font, "".join(run)) for font, run in _runs(text)]
    marked = "".join(f'<font name="{font}">{escape(run)}</font>' for font, run in runs)
    asian = any(font != LATIN for font, _ in runs)
    return Paragraph(marked, ParagraphStyle(style.name, parent=style, wordWrap="CJK" if asian else None))


def _runs(text: str) -> list[tuple[str, list[str]]]:
    """Cuts a text where its font changes."""
    placed = [_placed(each) for each in text if each.isprintable() or each == "\t"]
    return [
        (font, [each for _, each in run]) for font, run in itertools.groupby(placed, key=lambda pair: pair[0])
    ]


def _placed(character: str) -> tuple[str, str]:
    """Answers the font of a character, and the character, or a box in its place."""
    if character.isascii() or ord(character) in pdfmetrics.getFont(LATIN).face.charToGlyph:
        return LATIN, character
    for encoding, font in _COLLECTIONS.items():
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            continue
        return font, character
    return _COLLECTIONS["euc_kr"], _MISSING
