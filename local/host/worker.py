"""Microsoft's worker library, in a thread and an event loop of its own.

In Azure host and worker are two processes. Here they are two threads, so that a function that blocks its loop stops
neither the renewal of locks and leases nor the HTTP server. One difference stays: after ``functionTimeout`` Azure ends
the whole worker; here an ``async`` function is cancelled, and a plain one runs on in its thread, its result unused.
"""

import asyncio
import concurrent.futures
import os
import sys
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure_functions_runtime as library

from local.host.errors import AppRefused, FunctionFailed
from local.host.functions import Function
from local.host.log import in_invocation
from local.host.rpc import Message, ParameterBinding, StatusResult, TypedData, request


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a function returned, and what it put into its outputs by their parameter names."""

    returned: Any
    outputs: Mapping[str, Any]


class Worker:
    """The worker of one app; a process can hold only one, because the library keeps its functions in a module."""

    def __init__(self, app: Path) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="worker", daemon=True)

    async def start(self) -> list[Any]:
        """Import the app from its directory, and return the metadata of its functions as the library makes it.

        Raises:
            AppRefused: the library refused the app, or found no function in it; the message is the library's.
        """
        sys.path.insert(0, str(self._app))
        os.chdir(self._app)
        library.start_threadpool_executor()
        self._thread.start()
        return await self._run(self._index())

    async def _index(self) -> list[Any]:
        answer = await library.worker_init_request(
            request(worker_init_request=Message(capabilities={}, function_app_directory=str(self._app)))
        )
        if answer.result.status != StatusResult.Success:
            failure = answer.result.exception
            raise AppRefused(f"{failure.message}\n{failure.stack_trace or ''}".rstrip() + "\n0 functions found")
        answer = await library.functions_metadata_request(request())
        found = list(answer.function_metadata_results or [])
        if not found:
            raise AppRefused(
                f"{self._app}: 0 functions found. Is there a function_app.py, and is every blueprint registered?"
            )
        for item in found:
            await library.function_load_request(
                request(function_load_request=Message(function_id=item.function_id, metadata=item))
            )
        return found

    async def invoke(
        self,
        function: Function,
        invocation_id: str,
        data: TypedData,
        metadata: Mapping[str, TypedData],
        *,
        attempt: int = 0,
    ) -> Outcome:
        """Run a function once; cancelling this cancels an ``async`` function where it awaits.

        Raises:
            FunctionFailed: the function raised, or its input or output could not be converted.
        """
        message = Message(
            invocation_id=invocation_id,
            function_id=function.id,
            input_data=[ParameterBinding(name=function.trigger.name, data=data)],
            trigger_metadata=dict(metadata),
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(
                retry_count=attempt, max_retry_count=function.retry.again if function.retry else 0, exception=None
            ),
        )
        answer = await self._run(self._invoke(message))
        if answer.result.status != StatusResult.Success:
            failure = answer.result.exception
            raise FunctionFailed(failure.message, detail=failure.stack_trace or "")
        return Outcome(answer.return_value, {item.name: item.data for item in answer.output_data or []})

    async def _invoke(self, message: Message) -> Any:
        in_invocation.set(True)
        return await library.invocation_request(request(invocation_request=message))

    async def _run[T](self, work: Coroutine[Any, Any, T]) -> T:
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return await asyncio.wrap_future(future)

    def stop(self) -> None:
        """Stop the worker's loop; what still runs in it is dropped."""
        self._loop.call_soon_threadsafe(self._loop.stop)
