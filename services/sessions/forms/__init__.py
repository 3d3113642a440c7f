"""The forms of procedures: checked when they are published, compiled when they are used."""

from services.sessions.forms.compiled import Form
from services.sessions.forms.known import Forms

__all__ = ["Form", "Forms"]
