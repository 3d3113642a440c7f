"""PostgreSQL under row level security: every transaction says first whose rows it may see."""

from chassis.database.engine import Database
from chassis.database.models import Base
from chassis.database.transactions import Snapshot, Transaction
from chassis.scope import Scope

__all__ = ["Base", "Database", "Scope", "Snapshot", "Transaction"]
