"""The host of one app: what it starts, in which order, and how it drains."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import uvicorn

from local.host.errors import AppRefused
from local.host.functions import HTTP_TRIGGER, SERVICE_BUS_TRIGGER, TIMER_TRIGGER, Function, chosen, read_functions
from local.host.http_front import HttpFront, StartByHand
from local.host.invocations import Invocations
from local.host.keys import Keys
from local.host.lease import LeaseTerms, SoleHolder
from local.host.log import host_log
from local.host.ncrontab import Schedule
from local.host.rpc import TypedData
from local.host.service_bus_clients import ServiceBusOutputs, check_connection
from local.host.service_bus_listener import ServiceBusListener
from local.host.service_bus_messages import fields_by_hand, metadata_of, typed_body
from local.host.settings import HostOptions, load_host_options
from local.host.storage import HostStorage
from local.host.timer_listener import TimerListener
from local.host.timer_status import payload
from local.host.worker import Worker

DRAIN_LIMIT = 30.0


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the host decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Host:
    """Runs one app. ``start`` it, then ``drain`` it; both once."""

    def __init__(self, app: Path, *, host_id: str, settings: Mapping[str, str]) -> None:
        self._app = app
        self._host_id = host_id
        self._settings = settings
        self._worker = Worker(app)
        self._outputs = ServiceBusOutputs(settings)
        self._queues: list[ServiceBusListener] = []
        self._timers: list[tuple[TimerListener, SoleHolder]] = []
        self._timer_tasks: list[asyncio.Task[None]] = []
        self._queue_tasks: list[asyncio.Task[None]] = []

    async def start(self, listening: socket.socket, only: list[str]) -> list[Function]:
        """Read the app, answer HTTP on a bound socket, start the listeners; return the functions that run.

        Raises:
            AppRefused: the app, its host.json or its settings can't be run.
        """
        options = load_host_options(self._app, self._settings)
        metadata = await self._worker.start()
        functions = chosen(read_functions(metadata, self._settings), only, self._settings)
        self._invocations = Invocations(self._worker, self._outputs, timeout=options.function_timeout)
        self._storage = self._storage_for(functions)
        for function in functions:
            self._prepare(function, options)
        self._front = HttpFront(
            functions,
            self._invocations,
            Keys.from_settings(self._settings),
            prefix=options.route_prefix,
            by_hand={f.name: self._by_hand(f) for f in functions if f.trigger.type != HTTP_TRIGGER},
        )
        await self._serve_http(listening)
        self._queue_tasks = [asyncio.create_task(listener.run()) for listener in self._queues]
        self._timer_tasks = [asyncio.create_task(listener.run(holder)) for listener, holder in self._timers]
        return functions

    async def drain(self, limit: float = DRAIN_LIMIT) -> bool:
        """Take in nothing more, let running invocations end, settle, give leases back.

        Returns whether everything ended within ``limit`` seconds.
        """
        self._front.state = "Stopping"
        for listener in self._queues:
            listener.stop()
        for task in self._timer_tasks:
            task.cancel()
        self._server.should_exit = True
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(*self._queue_tasks)
                await asyncio.gather(*(listener.wait_until_settled() for listener in self._queues))
                await asyncio.gather(*self._timer_tasks, return_exceptions=True)
                await self._invocations.wait_until_idle()
                await self._serving
        except TimeoutError:
            host_log.warning("%d invocations still run after %.0f s: left", self._invocations.running, limit)
            return False
        else:
            return True
        finally:
            await self._close()

    async def _close(self) -> None:
        for task in self._timer_tasks + self._queue_tasks:
            task.cancel()
        await asyncio.gather(*self._timer_tasks, *self._queue_tasks, return_exceptions=True)
        await asyncio.gather(*(listener.close() for listener in self._queues), return_exceptions=True)
        await self._outputs.close()
        if self._storage is not None:
            await self._storage.close()
        self._worker.stop()

    async def _serve_http(self, listening: socket.socket) -> None:
        configuration = uvicorn.Config(
            self._front,
            lifespan="off",
            ws="none",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(DRAIN_LIMIT),
        )
        self._server = _Server(configuration)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
            await asyncio.sleep(0.01)

    def _storage_for(self, functions: list[Function]) -> HostStorage | None:
        if not any(function.trigger.type == TIMER_TRIGGER for function in functions):
            return None
        return HostStorage.from_settings(self._settings, self._host_id)

    def _prepare(self, function: Function, options: HostOptions) -> None:
        for binding in (function.trigger, *function.outputs):
            if binding.type in {SERVICE_BUS_TRIGGER, "serviceBus"}:
                check_connection(binding.text("connection"), self._settings)
        if function.trigger.type == SERVICE_BUS_TRIGGER:
            self._queues.append(ServiceBusListener(function, self._invocations, options.service_bus, self._settings))
        if function.trigger.type == TIMER_TRIGGER and self._storage is not None:
            schedule = self._schedule(function)
            store = self._storage.timer(function.name)
            holder = SoleHolder(function.name, self._storage.lease(function.name), LeaseTerms())
            self._timers.append((TimerListener(function, schedule, self._invocations, store), holder))

    def _schedule(self, function: Function) -> Schedule:
        try:
            zone = ZoneInfo(self._settings.get("WEBSITE_TIME_ZONE") or "UTC")
            return Schedule.parse(function.trigger.text("schedule"), zone)
        except (ValueError, ZoneInfoNotFoundError) as error:
            raise AppRefused(f"function {function.name}: {error}") from error

    def _by_hand(self, function: Function) -> StartByHand:
        async def start(text: str) -> None:
            if function.trigger.type == TIMER_TRIGGER:
                await self._invocations.run(function, TypedData(json=payload(None, past_due=False)))
                return
            binary = function.trigger.text("dataType").lower() == "binary"
            await self._invocations.run(
                function, typed_body(text.encode(), binary=binary), metadata_of(fields_by_hand())
            )

        return start
