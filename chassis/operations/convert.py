"""Operations as they stand on the wire."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from chassis import timestamps
from chassis.operations.store import Row
from wrtn.operations.v1 import operations_pb2


def operation(row: Row) -> operations_pb2.Operation:
    """Answers the operation."""
    return operations_pb2.Operation(
        id=str(row.id),
        kind=row.kind,
        state=operations_pb2.Operation.State.Value(f"STATE_{row.state}"),
        progress=operations_pb2.Operation.Progress(done=row.done, total=row.total, message=row.message),
        error=Status.FromString(row.error) if row.error is not None else None,
        result=row.result,
        cancel_requested=row.cancel_time is not None,
        start_time=timestamps.of(row.start_time),
        create_time=timestamps.of(row.create_time),
        update_time=timestamps.of(row.update_time),
        end_time=timestamps.of(row.end_time) if row.end_time is not None else None,
    )
