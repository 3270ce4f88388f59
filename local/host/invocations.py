"""One invocation from start to end: its id, its time limit, its outputs, and the two lines the host writes about it."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from local.host.errors import FunctionFailed
from local.host.functions import Binding, Function
from local.host.log import host_log
from local.host.rpc import TypedData
from local.host.worker import Outcome


class Runs(Protocol):
    """Whatever can run a function once: the worker."""

    async def invoke(
        self,
        function: Function,
        invocation_id: str,
        data: TypedData,
        metadata: Mapping[str, TypedData],
        *,
        attempt: int = 0,
    ) -> Outcome:
        """Run the function, or raise ``FunctionFailed``."""
        ...


class Sends(Protocol):
    """Whatever can send the value of an output binding on its way."""

    async def send(self, output: Binding, value: TypedData) -> None:
        """Send the value, or raise."""
        ...


class Invocations:
    """Runs functions, and knows which invocations still run."""

    def __init__(self, worker: Runs, outputs: Sends, *, timeout: timedelta | None) -> None:
        self._worker = worker
        self._outputs = outputs
        self._timeout = timeout
        self._running: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(
        self, function: Function, data: TypedData, metadata: Mapping[str, TypedData] | None = None, *, attempt: int = 0
    ) -> Any:
        """Run a function, send its outputs, and return what it returned (typed data, or ``None``).

        Raises:
            FunctionFailed: the function raised, ran longer than ``functionTimeout``, or an output could not be sent.
        """
        invocation_id, started = str(uuid.uuid4()), time.perf_counter()
        self._running.add(invocation_id)
        self._idle.clear()
        host_log.info("Executing 'Functions.%s' (Id=%s)", function.name, invocation_id)
        try:
            outcome = await self._within_time(function, invocation_id, data, metadata or {}, attempt)
            await self._send(function, outcome)
        except Exception as error:
            failure = error if isinstance(error, FunctionFailed) else FunctionFailed(f"{type(error).__name__}: {error}")
            _log_end(function, "Failed", invocation_id, started, failure)
            raise failure from error
        else:
            _log_end(function, "Succeeded", invocation_id, started)
            return outcome.returned
        finally:
            self._running.discard(invocation_id)
            if not self._running:
                self._idle.set()

    @property
    def running(self) -> int:
        """How many invocations run now."""
        return len(self._running)

    async def wait_until_idle(self) -> None:
        """Return when no invocation runs."""
        await self._idle.wait()

    async def _within_time(
        self,
        function: Function,
        invocation_id: str,
        data: TypedData,
        metadata: Mapping[str, TypedData],
        attempt: int,
    ) -> Outcome:
        seconds = None if self._timeout is None else self._timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await self._worker.invoke(function, invocation_id, data, metadata, attempt=attempt)
        except TimeoutError as error:
            raise FunctionFailed(f"timeout of {self._timeout} exceeded by 'Functions.{function.name}'") from error

    async def _send(self, function: Function, outcome: Outcome) -> None:
        for output in function.outputs:
            value = outcome.returned if output.name == "$return" else outcome.outputs.get(output.name)
            if output.type != "http" and value is not None:
                await self._outputs.send(output, value)


def _log_end(
    function: Function, result: str, invocation_id: str, started: float, failure: FunctionFailed | None = None
) -> None:
    milliseconds = round(1000 * (time.perf_counter() - started))
    fields = {"function": function.name, "invocation_id": invocation_id, "duration_ms": milliseconds}
    if failure is not None:
        fields |= {"exception": str(failure), "detail": failure.detail}
    host_log.log(
        40 if failure else 20,
        "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)",
        function.name,
        result,
        invocation_id,
        milliseconds,
        extra={"fields": fields},
    )
