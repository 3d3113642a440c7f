"""The process: settings, one event loop, granian in front of the gateway, Prometheus on a port of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

import structlog
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from prometheus_client import start_http_server

from gateway.app import Gateway, opened
from gateway.schema import SchemaError
from gateway.settings import Settings, SettingsError, read

log = structlog.get_logger("gateway")
_HEADER_BYTES = 64 * 1024
"""Request line and headers; granian answers longer ones with 414 or 431."""


def main(arguments: Sequence[str]) -> int:
    """Runs until SIGTERM or SIGINT; answers the exit code."""
    _configure_logging()
    try:
        settings = read(arguments, os.environ)
        uvloop.run(serve(settings))
    except (SettingsError, SchemaError) as error:
        print(f"gateway: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:
        print(f"gateway: cannot listen: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def serve(settings: Settings) -> None:
    """Serves until a signal, then lets running requests finish for at most `drain_seconds`."""
    check_port(settings.host, settings.port)
    async with opened(settings) as gateway:
        server = make_server(gateway, settings)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        metrics = None
        if settings.metrics_port:
            metrics, _ = start_http_server(settings.metrics_port, settings.host, gateway.metrics.registry)
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(stop.wait())
        log.info("serving", host=settings.host, port=settings.port, backends=dict(settings.backends))
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await _drain(gateway, server, serving, settings.drain_seconds)
        finally:
            stopping.cancel()
            if metrics is not None:
                metrics.shutdown()
                metrics.server_close()


def check_port(host: str, port: int) -> None:
    """Raises OSError if another process listens; granian shares its port, so it would not notice."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror} ({host}:{port})") from error


async def _drain(gateway: Gateway, server: Server, serving: asyncio.Task[None], seconds: float) -> None:
    """Stops accepting; a server that ended by itself raises its reason here."""
    gateway.draining = True
    if not serving.done():
        log.info("draining", seconds=seconds)
        server.stop()  # type: ignore[no-untyped-call]
    try:
        await asyncio.wait_for(serving, seconds)
    except TimeoutError:
        log.warning("drain_ran_out")


def make_server(gateway: Gateway, settings: Settings) -> Server:
    """Answers granian's server for the gateway, embedded in the running loop."""
    return Server(
        gateway,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=8192,
        http1_settings=HTTP1Settings(max_buffer_size=_HEADER_BYTES, header_read_timeout=15_000),
        log_enabled=False,
    )


def _configure_logging() -> None:
    logging.disable(logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
