"""The texts of mails: a folder a template in `templates/`, three files a language."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError, select_autoescape

from services.identity.errors import MailTemplateUnknown, MailValueMissing

PRODUCT = "wrtn"
LOCALE = "en"
"""The language that every template has."""
_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says."""

    subject: str
    text: str
    html: str


class Letters:
    """Writes letters out of templates. `public_url` is where links lead, if anywhere."""

    def __init__(self, *, public_url: str | None, folder: Path = _FOLDER) -> None:
        # The texts are no HTML, and so are not escaped: `.subject` and `.txt`.
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=select_autoescape(("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        self._locales = {
            each.name: {file.stem.lower(): file.stem for file in each.glob("*.subject")}
            for each in folder.iterdir()
            if each.is_dir()
        }
        self._public_url = public_url.rstrip("/") if public_url else None

    @property
    def names(self) -> frozenset[str]:
        """The templates that there are."""
        return frozenset(self._locales)

    def write(self, template: str, locale: str, values: Mapping[str, str]) -> Letter:
        """Fills a template in, in this locale or the nearest there is.

        Raises MailTemplateUnknown, and MailValueMissing if the template uses a value that is not given.
        """
        place = f"{template}/{self._nearest(template, locale)}"
        # Ours last: no value of a caller stands in for them.
        context = {name: one_line(value) for name, value in values.items()} | self._own(place)
        try:
            context["subject"] = one_line(self._filled(f"{place}.subject", context))
            text, html = (self._filled(f"{place}.{kind}", context) for kind in ("txt", "html"))
        except UndefinedError as error:
            raise MailValueMissing(f"The template lacks a value: {error.message}.", field="values") from error
        return Letter(context["subject"], text, html)

    def _nearest(self, template: str, locale: str) -> str:
        known = self._locales.get(template)
        if known is None:
            raise MailTemplateUnknown("There is no such template.", field="template")
        return next((known[each] for each in _wider(locale.lower()) if each in known), LOCALE)

    def _own(self, place: str) -> dict[str, Any]:
        locale = place.partition("/")[2]
        return {"product": PRODUCT, "public_url": self._public_url, "link": self._link, "locale": locale}

    def _link(self, path: str, **query: str) -> str | None:
        return f"{self._public_url}/{path}?{urlencode(query)}" if self._public_url else None

    def _filled(self, name: str, context: Mapping[str, Any]) -> str:
        return self._templates.get_template(name).render(context)


def one_line(text: str) -> str:
    """Answers the text without control characters and line breaks: what it is put into stays its own line."""
    plain = (" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in text)
    return " ".join("".join(plain).split())


def _wider(locale: str) -> Iterator[str]:
    """Answers a locale, then what it is part of: zh-hant-tw, zh-hant, zh."""
    while locale:
        yield locale
        locale = locale.rpartition("-")[0]
