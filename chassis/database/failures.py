"""What the database's failures mean to a caller. What is not listed is a defect and passes unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy.exc
from psycopg import errors as pg

from chassis.errors import Aborted, DomainError, ResourceExhausted, Unavailable


class PoolExhausted(ResourceExhausted):
    """Every connection was busy for as long as a transaction may wait for one."""

    reason = "POOL_EXHAUSTED"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or the connection broke; a commit under way may have happened."""

    reason = "DATABASE_UNAVAILABLE"


class DatabaseTimeout(Unavailable):
    """A statement took longer than it may, and was stopped."""

    reason = "DATABASE_TIMEOUT"


class TransactionConflict(Aborted):
    """Two transactions got in each other's way (serialization, deadlock, lock not available)."""

    reason = "TRANSACTION_CONFLICT"


_CONFLICTS = (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable)
# Shutdown and start-up, too many connections, out of memory or disk: none is the caller's fault.
_OUTAGES = (pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow, pg.IdleInTransactionSessionTimeout)
_OUTAGE_CLASSES = ("08", "53")


def translate(error: BaseException) -> DomainError | None:
    """Answers the domain error for a failure of the database, or None if there is none."""
    if isinstance(error, sqlalchemy.exc.DBAPIError) and isinstance(error.orig, Exception):
        return translate(error.orig)
    if not isinstance(error, psycopg.Error):
        return None
    if isinstance(error, _CONFLICTS):
        return TransactionConflict("A concurrent change got in the way; try again.", retry_after=0)
    if isinstance(error, pg.QueryCanceled):
        return DatabaseTimeout("The database took too long; try again.", retry_after=1)
    if _is_outage(error):
        return DatabaseUnavailable("The database cannot be reached; try again.", retry_after=1)
    return None


def _is_outage(error: psycopg.Error) -> bool:
    if isinstance(error, _OUTAGES) or (error.sqlstate or "")[:2] in _OUTAGE_CLASSES:
        return True
    # libpq's own reports (refused, reset, timed out) have no SQLSTATE.
    return error.sqlstate is None and isinstance(error, psycopg.OperationalError)


@contextmanager
def translated() -> Iterator[None]:
    """Raises the domain error in place of the database's; the original is its cause, for the log."""
    try:
        yield
    except Exception as error:
        meant = translate(error)
        if meant is None:
            raise
        raise meant from error
