"""The servicer: request to one call to response."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.analytics import convert
from services.analytics.asking import read
from services.analytics.usage import of_account, of_enterprise
from wrtn.analytics.v1 import usage_pb2
from wrtn.analytics.v1.usage_pb2_grpc import UsageServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Usages(UsageServiceServicer):
    """Answers usage over time."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime

    async def QueryUsage(
        self, request: usage_pb2.QueryUsageRequest, context: Context
    ) -> usage_pb2.QueryUsageResponse:
        """Sums the usage of an enterprise or a team."""
        asked = read(request, self._runtime.clock.now())
        return convert.usage(await of_enterprise(self._runtime.db, current().caller, asked), asked.division)

    async def QueryAccountUsage(
        self, request: usage_pb2.QueryAccountUsageRequest, context: Context
    ) -> usage_pb2.QueryUsageResponse:
        """Sums the usage of an account."""
        runtime = self._runtime
        asked = read(request, runtime.clock.now())
        account_id = UUID(request.account_id)
        answer = await of_account(runtime.db, runtime.access, current().caller, account_id, asked)
        return convert.usage(answer, asked.division)
