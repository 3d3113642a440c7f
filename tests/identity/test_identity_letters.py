"""The texts of mails: templates, languages, and what must not get through."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.identity.errors import MailTemplateUnknown, MailValueMissing
from services.identity.mail.letters import Letters, one_line


def letters(public_url: str | None = "https://chat.example/") -> Letters:
    return Letters(public_url=public_url)


def folder_with(place: Path, *locales: str) -> Path:
    """Makes a template `note` in these languages; each says which one it is."""
    (place / "note").mkdir()
    for locale in locales:
        (place / "note" / f"{locale}.subject").write_text(f"{locale} {{{{ name }}}}\n")
        (place / "note" / f"{locale}.txt").write_text("{{ name }}\n")
        (place / "note" / f"{locale}.html").write_text("<p>{{ name }}</p>\n")
    return place


def test_without_pages_of_the_product_a_mail_carries_the_code_alone() -> None:
    bare = letters(None).write("verify_email", "en", {"token": "wrtn_ev_x"})
    assert "Code: wrtn_ev_x" in bare.text
    assert "http" not in bare.text + bare.html
    linked = letters().write("verify_email", "en", {"token": "wrtn_ev_x"})
    assert "\nhttps://chat.example/verify-email?token=wrtn_ev_x\n" in linked.text
    assert 'href="https://chat.example/verify-email?token=wrtn_ev_x"' in linked.html


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("en", "en"),
        ("ko", "ko"),
        ("ko-KR", "ko"),
        ("KO-kr", "ko"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-TW", "en"),
        ("pt-BR", "pt-BR"),
        ("pt-PT", "en"),
        ("", "en"),
    ],
)
def test_a_mail_is_in_the_nearest_language_there_is(tmp_path: Path, asked: str, answered: str) -> None:
    folder = folder_with(tmp_path, "en", "ko", "zh-Hant", "pt-BR")
    assert (
        Letters(public_url=None, folder=folder).write("note", asked, {"name": "x"}).subject == f"{answered} x"
    )


def test_html_in_a_value_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    found = Letters(public_url=None, folder=folder_with(tmp_path, "en")).write(
        "note", "en", {"name": "<script>alert('x')</script> & co"}
    )
    assert "<script>" not in found.html
    assert "&lt;script&gt;" in found.html
    assert "<script>alert('x')</script> & co" in found.text


def test_a_value_is_no_template(tmp_path: Path) -> None:
    found = Letters(public_url=None, folder=folder_with(tmp_path, "en")).write(
        "note", "en", {"name": "{{ 7 * 7 }}"}
    )
    assert found.text == "{{ 7 * 7 }}\n"


def test_a_value_does_not_stand_in_for_what_is_ours() -> None:
    forged = {"token": "t", "public_url": "https://evil.example", "link": "x", "product": "evil"}
    found = letters().write("verify_email", "en", forged)
    assert "evil" not in found.subject + found.text + found.html


@pytest.mark.parametrize("breaking", ["\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x00", "\x1b"])
def test_a_value_is_one_line(tmp_path: Path, breaking: str) -> None:
    found = Letters(public_url=None, folder=folder_with(tmp_path, "en")).write(
        "note", "en", {"name": f"Mina{breaking}Bcc: thief@example.com"}
    )
    assert found.subject == "en Mina Bcc: thief@example.com"
    assert found.text == "Mina Bcc: thief@example.com\n"


def test_other_writing_stays_as_it_is() -> None:
    assert one_line("  박미나 \U0001f469\u200d\U0001f680 Ünal ") == "박미나 \U0001f469\u200d\U0001f680 Ünal"


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(MailValueMissing, match="'name' is undefined"):
        Letters(public_url=None, folder=folder_with(tmp_path, "en")).write("note", "en", {})


@pytest.mark.parametrize("name", ["", "nothing", "../templates", "layout.html", "."])
def test_an_unknown_template_is_refused(name: str) -> None:
    with pytest.raises(MailTemplateUnknown):
        letters().write(name, "en", {})


def test_every_template_has_its_three_files_in_english() -> None:
    folder = Path("services/identity/mail/templates")
    for name in letters().names:
        for kind in ("subject", "txt", "html"):
            assert (folder / name / f"en.{kind}").is_file(), f"{name} lacks en.{kind}"
