"""What only the real directory can show: each call once, before its deadline, and what Graph's errors become."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from kiota_abstractions.method import Method

from access.adapters.directory import GraphDirectory, member_path
from access.adapters.graph import Graph
from access.adapters.log import correlated
from access.adapters.mail import GraphMailer
from access.errors import AlreadyAssigned, DirectoryRefused, NotAssigned, Throttled, TryAgain
from access.hold import Presence
from access.model import Source, Target
from access.pace import HELD_AT_MOST
from access.ports import Mail
from local.directory.testing import AdminClient, RunningDirectory
from tests.fakes.clock import FakeClock
from tests.local.directory.people import ADA_ADMIN, BACKUP_OPERATORS, DYNAMIC, SYNCED
from tests.promises.directories import Credential, app_token, graph_at
from tests.promises.scripted import Answer, ScriptedServer

pytestmark = pytest.mark.real

GROUP = Target(Source.GROUP_MEMBER, BACKUP_OPERATORS)
MAIL = Mail(to="bo@contoso.example", subject="Hourglass: a decision", html="<p>Please decide.</p>")
CALL_LIMIT, SHORT = timedelta(seconds=10), timedelta(seconds=0.3)


@dataclass(frozen=True)
class Connected:
    """The adapters at a directory, and what arrived there."""

    graph: Graph
    directory: GraphDirectory
    mailer: GraphMailer
    credential: Credential
    clock: FakeClock
    admin: AdminClient

    def calls(self, method: str = "") -> list[dict[str, Any]]:
        return [call for call in self.admin.calls() if method in ("", call["method"])]

    def acts(self, *, within: timedelta = CALL_LIMIT) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the three calls that change something, by their methods and names."""
        deadline = self.clock.monotonic() + within.total_seconds()
        return {
            "POST assign": lambda: self.directory.assign(ADA_ADMIN, GROUP, deadline=deadline),
            "DELETE remove": lambda: self.directory.remove(ADA_ADMIN, GROUP, deadline=deadline),
            "POST mail": lambda: self.mailer.send(MAIL, deadline=deadline),
        }


@asynccontextmanager
async def connect(directory: RunningDirectory, call_limit: timedelta = CALL_LIMIT) -> AsyncIterator[Connected]:
    credential, clock = Credential(app_token(directory.url)), FakeClock()
    async with graph_at(directory.url, credential, clock=clock, call_limit=call_limit) as graph:
        mailer = GraphMailer(graph, "hourglass@contoso.example")
        yield Connected(graph, GraphDirectory(graph), mailer, credential, clock, directory.admin)


@pytest.fixture
async def connected(directory: RunningDirectory) -> AsyncIterator[Connected]:
    async with connect(directory) as adapters:
        yield adapters


ACTS = ["POST assign", "DELETE remove", "POST mail"]


class TestARemoval:
    async def test_its_path_ends_in_ref_for_without_it_the_user_would_be_deleted(self, connected: Connected) -> None:
        request = member_path(connected.graph, GROUP, ADA_ADMIN)

        assert request.url.endswith(f"/groups/{GROUP.id}/members/{ADA_ADMIN}/$ref")
        assert request.http_method is Method.DELETE

    async def test_it_arrives_as_it_was_built(self, connected: Connected) -> None:
        connected.admin.add_member(GROUP.id, ADA_ADMIN)

        await connected.directory.remove(ADA_ADMIN, GROUP, deadline=connected.clock.monotonic() + 10)

        (call,) = connected.calls("DELETE")
        assert call["path"] == f"/v1.0/groups/{GROUP.id}/members/{ADA_ADMIN}/$ref"


class TestOneCallIsOneRequest:
    @pytest.mark.parametrize("act", ACTS)
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    async def test_a_change_is_never_retried_by_the_sdk(self, connected: Connected, act: str, status: int) -> None:
        connected.admin.faults({"kind": "status", "status": status, "retryAfter": 1})

        with pytest.raises(TryAgain) as later:
            await connected.acts()[act]()

        assert later.value.fault
        assert [call["status"] for call in connected.calls(act.split(maxsplit=1)[0])] == [status]

    @pytest.mark.parametrize("status", [429, 503])
    async def test_nor_is_a_look_up(self, connected: Connected, status: int) -> None:
        connected.admin.faults({"kind": "status", "status": status, "retryAfter": 1})

        with pytest.raises(TryAgain):
            await connected.directory.account(ADA_ADMIN)

        assert len(connected.calls()) == 1


class TestWhatErrorsBecome:
    @pytest.mark.parametrize("act", ACTS)
    async def test_a_stated_wait_is_waited_for(self, connected: Connected, act: str) -> None:
        connected.admin.faults({"kind": "status", "status": 429, "retryAfter": 37})

        with pytest.raises(TryAgain) as later:
            await connected.acts()[act]()

        assert later.value.after == timedelta(seconds=37)

    async def test_a_wait_that_is_stated_as_a_date_is_waited_for(self, connected: Connected) -> None:
        connected.admin.faults({"kind": "status", "status": 503, "retryAfterDate": 60})

        with pytest.raises(TryAgain) as later:
            await connected.directory.account(ADA_ADMIN)

        assert timedelta(seconds=30) < later.value.after <= timedelta(seconds=61)

    @pytest.mark.parametrize("stated", ["soon", "-1", "Wed, 99 Foo 2026", "1.5"])
    async def test_a_wait_that_can_not_be_read_is_a_short_one(self, stated: str) -> None:
        error = {"error": {"code": "TooManyRequests", "message": "Too many."}}
        async with ScriptedServer(Answer(429, error, {"Retry-After": stated})) as server:
            with pytest.raises(TryAgain) as later:
                await _account_at(server.url)

        assert later.value.after == timedelta(seconds=5)

    @pytest.mark.parametrize("kind", ["lost-answer", "time-out"])
    @pytest.mark.parametrize("act", ACTS)
    async def test_an_answer_that_does_not_come_leaves_it_open(
        self, directory: RunningDirectory, act: str, kind: str
    ) -> None:
        directory.admin.faults({"kind": kind, "seconds": 2})

        async with connect(directory, call_limit=SHORT) as adapters:
            with pytest.raises(TryAgain) as later:
                await adapters.acts(within=SHORT)[act]()

        assert later.value.fault
        assert len(directory.admin.calls()) == 1

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize("act", ACTS)
    async def test_a_demand_to_wait_is_told_from_other_faults(
        self, connected: Connected, act: str, status: int
    ) -> None:
        connected.admin.faults({"status": status, "retryAfter": 7}, {"status": status})

        with pytest.raises(Throttled) as demand:
            await connected.acts()[act]()
        with pytest.raises(TryAgain) as fault:
            await connected.acts()[act]()

        assert demand.value.after == timedelta(seconds=7)
        assert not isinstance(fault.value, Throttled)

    @pytest.mark.parametrize("stated", ["86400", "9" * 40, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"], ids=len)
    async def test_a_demand_to_wait_for_days_or_for_ever_is_cut_to_minutes(self, stated: str) -> None:
        demand = await _removal_told_to_wait(stated)

        assert isinstance(demand, Throttled)
        assert demand.after == HELD_AT_MOST

    @pytest.mark.parametrize("stated", ["", "soon", "-5", "1.5", "Fri, 31 Dec 9999 23:59:59 -0000"])
    async def test_a_demand_that_can_not_be_read_is_a_fault_like_others(self, stated: str) -> None:
        assert not isinstance(await _removal_told_to_wait(stated), Throttled)

    async def test_a_gift_whose_answer_was_lost_has_landed_and_the_next_says_so(self, connected: Connected) -> None:
        connected.admin.faults({"kind": "lost-answer"})
        with pytest.raises(TryAgain):
            await connected.acts()["POST assign"]()

        with pytest.raises(AlreadyAssigned):
            await connected.acts()["POST assign"]()

    async def test_a_right_that_is_missing_refuses_a_gift(self, connected: Connected) -> None:
        connected.admin.faults({"kind": "status", "status": 403})

        with pytest.raises(DirectoryRefused, match="Authorization_RequestDenied"):
            await connected.acts()["POST assign"]()

    async def test_a_right_that_is_missing_never_ends_a_removal(self, connected: Connected) -> None:
        connected.admin.faults({"kind": "status", "status": 403})

        with pytest.raises(TryAgain) as later:
            await connected.acts()["DELETE remove"]()

        assert later.value.fault

    @pytest.mark.parametrize("group", [DYNAMIC, SYNCED])
    async def test_a_group_that_others_master_refuses_a_gift_and_never_ends_a_removal(
        self, connected: Connected, group: str
    ) -> None:
        target, deadline = Target(Source.GROUP_MEMBER, group), connected.clock.monotonic() + 10

        with pytest.raises(DirectoryRefused):
            await connected.directory.assign(ADA_ADMIN, target, deadline=deadline)
        connected.admin.add_member(group, ADA_ADMIN)
        with pytest.raises(TryAgain):
            await connected.directory.remove(ADA_ADMIN, target, deadline=deadline)

    async def test_who_is_no_member_is_told_from_a_group_that_is_gone_by_nobody(self, connected: Connected) -> None:
        with pytest.raises(NotAssigned):
            await connected.acts()["DELETE remove"]()

        (call,) = connected.calls("DELETE")
        assert call["status"] in {400, 404}

    @pytest.mark.parametrize("status", [403, 429, 500])
    async def test_a_look_up_that_fails_is_never_an_empty_answer(self, connected: Connected, status: int) -> None:
        directory = connected.directory
        look_ups: Sequence[Callable[[], Awaitable[object]]] = (
            lambda: directory.account(ADA_ADMIN),
            lambda: directory.account("ada@contoso.example"),
            lambda: directory.linked_accounts("E1001"),
            lambda: directory.groups_among(ADA_ADMIN, [GROUP.id]),
            lambda: directory.people_in(GROUP.id),
            lambda: directory.target_exists(GROUP),
            lambda: directory.presence(ADA_ADMIN, GROUP),
        )
        connected.admin.faults({"kind": "status", "status": status, "count": len(look_ups)})

        for look_up in look_ups:
            with pytest.raises(TryAgain) as later:
                await look_up()
            assert later.value.fault

    async def test_a_directory_that_does_not_listen_leaves_it_open(self) -> None:
        async with ScriptedServer(Answer()) as server:
            url = server.url
        with pytest.raises(TryAgain):
            await _account_at(url)


class TestTheDeadline:
    async def test_the_token_is_asked_for_inside_it_and_nothing_is_sent_when_that_took_too_long(
        self, connected: Connected
    ) -> None:
        connected.credential.takes = 30.0

        with pytest.raises(TryAgain) as late:
            await connected.directory.assign(ADA_ADMIN, GROUP, deadline=connected.clock.monotonic() + 0.2)

        assert late.value.fault
        assert connected.credential.scopes == ["https://graph.microsoft.com/.default"]
        assert connected.calls() == []

    async def test_a_worker_that_was_frozen_while_it_had_no_token_sends_nothing_when_it_thaws(
        self, connected: Connected
    ) -> None:
        connected.credential.takes = 0.05
        call = asyncio.create_task(
            connected.directory.assign(ADA_ADMIN, GROUP, deadline=connected.clock.monotonic() + 10)
        )
        await connected.credential.asked.wait()
        connected.clock.advance(timedelta(seconds=10))

        with pytest.raises(TryAgain):
            await call
        assert connected.calls() == []


class TestWhatIsAsked:
    async def test_an_apostrophe_can_not_end_a_filter(self, connected: Connected) -> None:
        assert await connected.directory.account("o'brien@contoso.example") is None

        (call,) = connected.calls()
        (asked,) = parse_qs(call["query"])["$filter"]
        assert asked == "userPrincipalName eq 'o''brien@contoso.example' or mail eq 'o''brien@contoso.example'"

    async def test_a_text_that_looks_like_a_filter_finds_nobody(self, connected: Connected) -> None:
        assert await connected.directory.account("x' or userPrincipalName ne 'x") is None

    async def test_the_correlation_goes_with_every_call(self, connected: Connected) -> None:
        correlation = "7d5f1f3e-0000-4000-8000-0123456789ab"

        with correlated(correlation):
            await connected.directory.presence(ADA_ADMIN, GROUP)

        assert [call["client-request-id"] for call in connected.calls()] == [correlation]

    async def test_a_member_on_the_second_page_is_found(self, connected: Connected) -> None:
        first: dict[str, Any] = {"value": [{"id": f"00000000-0000-4000-c000-{n:012d}"} for n in range(999)]}
        second = {"value": [{"id": ADA_ADMIN.upper()}]}
        async with ScriptedServer(Answer(200, first), Answer(200, second)) as server:
            first["@odata.nextLink"] = f"{server.url}/v1.0/groups/{GROUP.id}/members?$skiptoken=second"
            async with graph_at(server.url, connected.credential) as graph:
                found = await GraphDirectory(graph).presence(ADA_ADMIN, GROUP)

        assert found is Presence.HELD
        assert "skiptoken=second" in server.requests[1]


async def _account_at(url: str) -> object:
    async with graph_at(url, Credential("a token")) as graph:
        return await GraphDirectory(graph).account(ADA_ADMIN)


async def _removal_told_to_wait(stated: str) -> TryAgain:
    """Return what becomes of a removal that is answered with 429 and this Retry-After."""
    clock, answer = FakeClock(), Answer(429, {"error": {}}, {"Retry-After": stated})
    async with ScriptedServer(answer) as server, graph_at(server.url, Credential("a token"), clock=clock) as graph:
        with pytest.raises(TryAgain) as demand:
            await GraphDirectory(graph).remove(ADA_ADMIN, GROUP, deadline=clock.monotonic() + 10)
    return demand.value
