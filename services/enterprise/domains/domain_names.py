"""Domain names: which texts are one, and which of them an enterprise can own."""

from __future__ import annotations

import ipaddress
from functools import cache

import idna
from publicsuffixlist import PublicSuffixList

from services.enterprise.errors import DomainInvalid

# Providers where anybody gets an address. By the part before their suffix, since many have one a country.
_PROVIDERS = """
aol bluewin btinternet comcast daum duck fastmail free freemail freenet gmail gmx googlemail hanmail
hotmail hushmail icloud inbox interia laposte libero live mac mail mailbox mailfence me msn naver o2
onet orange outlook pm posteo proton protonmail qq rambler rediffmail rocketmail sbcglobal sfr sina
sohu t-online tuta tutanota verizon wanadoo web wp yahoo yandex ymail zoho zohomail
"""
_FREE_MAIL_NAMES = frozenset(_PROVIDERS.split())
_FREE_MAIL_DOMAINS = frozenset(("126.com", "163.com", "139.com", "yeah.net", "ya.ru", "bk.ru", "list.ru"))


def parsed(text: str) -> str:
    """Answers the domain in its ASCII form; raises DomainInvalid.

    A name needs two labels at least, and is none under which anybody may register (a public suffix).
    """
    found = ascii_form(text)
    if found is None or "." not in found or _is_address(found):
        raise DomainInvalid("The text is no domain name.", field="domain")
    if _suffixes().privatesuffix(found) is None:
        raise DomainInvalid("Anybody may register a name under this one.", field="domain")
    return found


def ascii_form(text: str) -> str | None:
    """Answers the form in which domains are compared (IDNA 2008, after UTS 46); None for what is no name."""
    try:
        return idna.encode(text.strip().rstrip("."), uts46=True).decode().lower()
    except idna.IDNAError:
        return None


def of_address(address: str) -> str | None:
    """Answers the domain of an email address, in ASCII."""
    return ascii_form(address.rpartition("@")[2])


def is_free_mail(domain: str) -> bool:
    """Whether anybody gets an address there, so that an address proves nothing."""
    own = _suffixes().privatesuffix(domain) or domain
    return own in _FREE_MAIL_DOMAINS or own.partition(".")[0] in _FREE_MAIL_NAMES


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@cache
def _suffixes() -> PublicSuffixList:
    """Reads the list that the package carries, once; it takes tens of milliseconds."""
    return PublicSuffixList()
