"""The command line of auditors: `python -m chassis.audit <service> verify [--tenant ID] [--anchor ...]`.

Reads WRTN_DATABASE_WORKER_URL, as the service does. Prints a JSON object a tenant with the head of its
chain, to be noted as an anchor; ends with 1 if a chain is not whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import make_url

from chassis.audit.verifying import Anchor, Finding, verify
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import DomainError


def _anchor(text: str) -> tuple[UUID, Anchor]:
    tenant, sequence, hash_ = text.split(":")
    return UUID(tenant), Anchor(int(sequence), bytes.fromhex(hash_))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chassis.audit", description=__doc__)
    parser.add_argument("service")
    parser.add_argument("action", choices=["verify"])
    parser.add_argument("--tenant", type=UUID, metavar="ID", help="one tenant's chain alone")
    parser.add_argument(
        "--anchor",
        type=_anchor,
        action="append",
        default=[],
        metavar="TENANT:SEQUENCE:HASH",
        help="a head that was noted before; without one, a cut-off end is not seen",
    )
    return parser


async def _verify(arguments: argparse.Namespace, url: str) -> bool:
    worker = Database(url, pool_size=1, clock=Clock())
    whole = True
    try:
        found = verify(worker, tenant_id=arguments.tenant, anchors=dict(arguments.anchor))
        async for finding in found:
            whole = whole and not finding.wrong
            sys.stdout.write(_line(finding))
    finally:
        await worker.close()
    return whole


def _line(finding: Finding) -> str:
    shown = {
        "tenant": str(finding.tenant_id),
        "sealed": finding.sequence,
        "head": finding.head.hex(),
        "wrong": finding.wrong,
    }
    return json.dumps(shown) + "\n"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Runs the command line."""
    parser = _arguments()
    arguments = parser.parse_args(argv)
    url = environ.get("WRTN_DATABASE_WORKER_URL")
    if not url:
        parser.error("WRTN_DATABASE_WORKER_URL is not set")
    if str(make_url(url).database).removeprefix("wrtn_").split("_")[0] != arguments.service:
        parser.error(f"WRTN_DATABASE_WORKER_URL is not the database of {arguments.service}")
    try:
        whole = asyncio.run(_verify(arguments, url))
    except DomainError as error:
        raise SystemExit(f"the database refused: {error}") from error
    if not whole:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
