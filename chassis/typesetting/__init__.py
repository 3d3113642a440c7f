"""Documents as PDF: texts in any script, set by a process of its own."""

from chassis.typesetting.process import TypesettingFailed, typeset

__all__ = ["TypesettingFailed", "typeset"]
