"""The people of the run: they ask, send twice, give back, approve and deny; whatever is down, they try again."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import httpx
from azure.servicebus.exceptions import ServiceBusError

from local.demo.world import World
from tests.chaos.plan import Plan, Wish
from tests.chaos.scene import APPROVER, address

_AGAIN = 1.0
_SEND_LIMIT = 15.0
_TROUBLE = (ServiceBusError, OSError, TimeoutError, ValueError, httpx.HTTPError)


class People:
    """Everybody who touches the tenant from outside.

    ``asked`` maps each activation that was asked for to its requester's address, ``requests`` each message id to the
    activation that it is about, ``given_back`` the id that a refusal to give back would be recorded under, to the activation.
    """

    def __init__(self, world: World, plan: Plan) -> None:
        self.asked: dict[str, str] = {}
        self.requests: dict[str, str] = {}
        self.given_back: dict[str, str] = {}
        self.sent_twice = 0
        self._world, self._plan = world, plan
        self._leave = asyncio.Event()
        self._askers: list[asyncio.Task[None]] = []
        self._approver: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Let them ask and decide from now on."""
        self._askers = [asyncio.create_task(self._ask(number)) for number in range(self._plan.size.people)]
        self._approver = asyncio.create_task(self._decide())

    async def stop_asking(self) -> None:
        """Let everybody finish what they are saying; questions are still decided."""
        self._leave.set()
        await asyncio.gather(*self._askers)

    async def leave(self) -> None:
        """Nobody says anything any more."""
        self._leave.set()
        everybody = [*self._askers, *([self._approver] if self._approver else [])]
        for task in everybody:
            task.cancel()
        await asyncio.gather(*everybody, return_exceptions=True)

    async def _ask(self, number: int) -> None:
        """Ask again and again; what is left of the last one, or overlaps it, is part of the game."""
        for count, wish in enumerate(self._plan.wishes(number)):
            if await self._left_within(wish.after):
                return
            activation = await self._send_wish(number, count, wish)
            if wish.gives_back:
                if await self._left_within(wish.seconds / 2):
                    return
                await self._give_back(number, count, activation)
            if await self._left_within(wish.seconds):
                return

    async def _send_wish(self, number: int, count: int, wish: Wish) -> str:
        request = f"run-{number}-{count}"
        who = address(number)
        body = _body(requestId=request, action="activate", requester=who, role=wish.role, duration=f"PT{wish.seconds}S")
        activation = self._world.id_of(body)
        self.asked[activation], self.requests[request] = who, activation
        for _ in range(2 if wish.twice else 1):
            await _until_done(lambda: self._world.send(body, message_id=request, correlation_id=request))
        self.sent_twice += wish.twice
        return activation

    async def _give_back(self, number: int, count: int, activation: str) -> None:
        request, who = f"back-{number}-{count}", address(number)
        body = _body(requestId=request, action="deactivate", activation=activation, requester=who)
        self.requests[request] = self.given_back[self._world.id_of(body)] = activation
        await _until_done(lambda: self._world.send(body, message_id=request, correlation_id=request))

    async def _decide(self) -> None:
        """Press the buttons of each card, until the app has answered."""
        answered: set[str] = set()
        while True:
            with contextlib.suppress(*_TROUBLE):
                for mail in await self._world.mails(APPROVER):
                    if "wants to activate" not in mail["subject"] or mail["id"] in answered:
                        continue
                    choice = "Approve" if self._plan.approves() else "Deny"
                    pressed = await self._world.press(APPROVER, mail["id"], choice, "as the plan has it")
                    status = pressed["status"]
                    if status is not None and status < httpx.codes.INTERNAL_SERVER_ERROR:
                        answered.add(mail["id"])
            await asyncio.sleep(_AGAIN)

    async def _left_within(self, seconds: float) -> bool:
        """Wait; whether everybody is to stop asking."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leave.wait(), seconds)
        return self._leave.is_set()


def _body(**values: object) -> bytes:
    values = {"version": 1, "principal": values["requester"], "justification": "Chaos", "flow": "Chaos", **values}
    return json.dumps(values).encode()


async def _until_done(send: Callable[[], Awaitable[None]]) -> None:
    """Send until the broker has taken it, as a flow's action does: it may have been taken before."""
    while True:
        try:
            async with asyncio.timeout(_SEND_LIMIT):
                await send()
        except _TROUBLE:
            await asyncio.sleep(_AGAIN)
        else:
            return
