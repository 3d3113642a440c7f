"""Long work that survives its process: `Operations`, and what a kind of work is given, `Work`."""

from chassis.operations.runner import Operations
from chassis.operations.work import Kind, Wait, Work

__all__ = ["Kind", "Operations", "Wait", "Work"]
