"""`hourglass quarantine`: what could never succeed is looked at, put back or dropped, and the audit says by whom."""

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from access.adapters.quarantine import REPLAY
from access.wire import IDENTITY
from tests.fakes.tenant import ADA, BO, FakeTenant
from tests.hourglass.conftest import NOW, FakeOutside, Run
from tests.story.acts import pending

REQUESTS = "activation-requests"
BROKEN = b'{"requester": "ada@contoso.example", "justification": "the "big" share"}'


def put(tenant: FakeTenant, body: bytes, *, queue: str = REQUESTS, message_id: str = "m-1") -> None:
    """Have a message delivered that ends in quarantine."""

    async def deliver() -> None:
        tenant.bus.put(queue, body, message_id=message_id, correlation_id="run-1")
        await tenant.run()

    asyncio.run(deliver())


def set_aside(
    tenant: FakeTenant, body: bytes, *, queue: str, identity: str = "m-1", properties: Mapping[str, str] | None = None
) -> None:
    """Set a message aside that the functions would not have, as the sweep does with a dead letter."""
    asyncio.run(
        tenant.quarantine.set_aside(
            queue=queue,
            identity=identity,
            code="HG-BODY-NOT-JSON",
            what="somebody said so",
            body=body,
            properties=properties or {},
            now=tenant.clock.now(),
        )
    )


def short(tenant: FakeTenant, identity: str = "m-1") -> str:
    """The first digits of the only message of this identity."""
    (found,) = [each for each in asyncio.run(tenant.quarantine.on(NOW)) if each.identity == identity]
    return found.id.partition("/")[2][:8]


class TestList:
    def test_the_newest_comes_first_with_its_reason(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"", message_id="m-1")
        tenant.clock.advance(timedelta(days=2))
        put(tenant, b"{", message_id="m-2")

        result = run("quarantine", "list")

        lines = result.stdout.splitlines()
        assert [line.split()[0] for line in lines if line.startswith("2026")] == ["2026-03-04", "2026-03-02"]
        assert "HG-BODY-NOT-JSON" in lines[1]
        assert lines[-1] == "2 messages since 2026-02-02."

    def test_an_empty_one_says_so_and_is_no_error(self, run: Run) -> None:
        result = run("quarantine", "list")

        assert (result.exit_code, result.stdout) == (0, "0 messages since 2026-01-31.\n")

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (("--queue", "provisioning"), 1),
            (("--code", "hg-body-empty"), 1),
            (("--queue", REQUESTS, "--code", "HG-NUDGE-INVALID"), 0),
            (("--since", "2026-03-02"), 2),
            (("--limit", "1"), 1),
        ],
    )
    def test_it_can_be_narrowed(self, tenant: FakeTenant, run: Run, options: tuple[str, ...], count: int) -> None:
        put(tenant, b"", message_id="m-1")
        put(tenant, b"{}", queue="provisioning", message_id="m-2")

        result = run("quarantine", "list", "--json", *options)

        assert len(json.loads(result.stdout)) == count

    def test_what_is_not_listed_for_want_of_room_is_said(self, tenant: FakeTenant, run: Run) -> None:
        for number in range(3):
            put(tenant, b"", message_id=f"m-{number}")

        assert run("quarantine", "list", "--limit", "2").stdout.endswith(
            "2 messages since 2026-01-31; more with --limit 4.\n"
        )

    def test_what_somebody_decided_about_is_listed_only_on_demand(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"")
        run("quarantine", "discard", "--direct", "--yes", "--reason", "noise", short(tenant))

        assert run("quarantine", "list").stdout.startswith("0 messages")
        assert "discarded by ada" in run("quarantine", "list", "--all").stdout

    @pytest.mark.parametrize("since", ["yesterday", "P500D", "2026-03-09", "9999999"])
    def test_a_since_that_can_not_be_is_refused(self, run: Run, since: str) -> None:
        result = run("quarantine", "list", "--since", since)

        assert (result.exit_code, "--since" in result.stderr) == (2, True)

    def test_a_queue_that_is_none_is_answered_with_those_that_are(self, run: Run) -> None:
        result = run("quarantine", "list", "--queue", "requests")

        assert result.exit_code == 2
        assert "activation-requests" in result.stderr


class TestShow:
    def test_json_that_asks_for_nobody_is_shown_as_json(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b'{"role": "backup-operators"}')

        result = run("quarantine", "show", short(tenant))

        assert result.stdout.startswith("HG-REQUESTER-MISSING on activation-requests: no requester is named")
        assert result.stdout.endswith('28 bytes, JSON:\n{\n  "role": "backup-operators"\n}\n')

    def test_text_that_is_no_json_is_shown_as_it_is_and_what_a_terminal_obeys_is_escaped(
        self, tenant: FakeTenant, run: Run
    ) -> None:
        put(tenant, "a\x1b[31m\u202eb".encode())

        assert run("quarantine", "show", short(tenant)).stdout.endswith("not a JSON object:\na\\x1b[31m\\u202eb\n")

    def test_what_is_no_text_is_shown_in_hex(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"\xff\xfe{\x00A")

        lines = run("quarantine", "show", short(tenant)).stdout.splitlines()

        assert lines[-2] == "5 bytes, neither JSON nor text:"
        assert lines[-1].split() == ["000000", "ff", "fe", "7b", "00", "41", "..{.A"]

    def test_a_long_one_is_cut_on_the_screen_and_whole_in_json(self, tenant: FakeTenant, run: Run) -> None:
        body = b"x" * 20_000 + b"\xff"
        put(tenant, body)

        shown = run("quarantine", "show", short(tenant))
        whole = run("quarantine", "show", "--json", short(tenant))

        assert shown.stdout.endswith("... and 3617 bytes more\n")
        assert base64.b64decode(json.loads(whole.stdout)["body"]) == body

    def test_it_says_what_its_sender_said_and_what_was_decided(self, tenant: FakeTenant, run: Run) -> None:
        set_aside(tenant, b"{", queue=REQUESTS, properties={"flow": "Ask\x1b for access"})
        run("quarantine", "discard", "--direct", "--yes", "--reason", "a test", short(tenant))

        text = run("quarantine", "show", short(tenant)).stdout

        assert "flow: Ask for access" in text
        assert "discarded by ada (direct) at 2026-03-02 09:00:00 UTC: a test" in text

    def test_an_id_may_name_its_day_and_is_found_without_it(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"")

        assert run("quarantine", "show", f"2026-03-02/{short(tenant)}").exit_code == 0
        assert run("quarantine", "show", f"2026-03-01/{short(tenant)}").exit_code == 1

    @pytest.mark.parametrize("text", ["", "abc", "no-id", "yesterday/abcdef", "/abcdef"])
    def test_what_is_no_id_is_said_to_be_none(self, run: Run, text: str) -> None:
        result = run("quarantine", "show", text)

        assert (result.exit_code, "no id" in result.stderr) == (2, True)

    def test_one_that_is_not_there_is_not_found(self, run: Run) -> None:
        result = run("quarantine", "show", "abcdef")

        assert result.exit_code == 1
        assert "No message in quarantine begins with abcdef." in result.stderr

    def test_bytes_that_somebody_deleted_are_said_to_be_gone(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"")
        tenant.blobs.content.clear()

        assert "somebody deleted the blob" in run("quarantine", "show", short(tenant)).stdout
        assert run("quarantine", "replay", "--dry-run", short(tenant)).exit_code == 1


class TestReplay:
    def test_the_message_is_back_on_its_queue_and_the_audit_says_who_and_why(
        self, tenant: FakeTenant, run: Run
    ) -> None:
        put(tenant, BROKEN)

        result = run("quarantine", "replay", "--direct", "--yes", "--reason", "flow mended", short(tenant))

        assert result.exit_code == 0, result.output
        assert result.stdout.endswith("Replayed 1 message.\n")
        assert "the audit says: direct, ada." in result.stderr
        (message,) = tenant.bus.messages
        assert (message.queue, message.body, message.message_id) == (REQUESTS, BROKEN, "m-1")
        assert message.application_properties[IDENTITY] == "m-1"
        (said,) = audit(tenant)
        assert (said["event"], said["by"], said["through"]) == ("message.replay_ordered", "ada", "direct")
        assert said["after"]["reason"] == "flow mended"

    def test_a_dry_run_says_what_would_come_of_it_and_does_nothing(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, BROKEN)

        result = run("quarantine", "replay", "--dry-run", short(tenant))

        assert result.exit_code == 0
        assert "It would be set aside again: the body is not JSON" in result.stdout
        assert result.stdout.endswith("Nothing was changed (--dry-run).\n")
        assert (tenant.bus.messages, audit(tenant)) == ([], [])

    def test_all_of_a_code_are_put_back_and_those_decided_about_are_left(self, tenant: FakeTenant, run: Run) -> None:
        for number in range(3):
            put(tenant, b"", message_id=f"m-{number}")
        put(tenant, b"{", message_id="other")
        run("quarantine", "discard", "--direct", "--yes", "--reason", "noise", short(tenant, "m-1"))

        result = run("quarantine", "replay", "--direct", "--yes", "--reason", "why", "--all", "--code", "HG-BODY-EMPTY")

        assert result.stdout.endswith("Replayed 2 messages.\n")
        assert sorted(str(message.message_id) for message in tenant.bus.messages) == ["m-0", "m-2"]

    def test_all_where_there_is_none_does_nothing(self, run: Run) -> None:
        result = run("quarantine", "replay", "--direct", "--yes", "--reason", "why", "--all", "--queue", "approvals")

        assert (result.exit_code, result.stdout) == (0, "Nothing to replay.\n")

    def test_one_that_is_named_twice_is_put_back_once(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"")

        run("quarantine", "replay", "--direct", "--yes", "--reason", "why", short(tenant), short(tenant))

        assert len(tenant.bus.messages) == 1

    def test_who_says_no_changes_nothing(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"")

        result = run("quarantine", "replay", "--direct", "--reason", "why", short(tenant), stdin="n\n")

        assert result.exit_code == 1
        assert (tenant.bus.messages, audit(tenant)) == ([], [])

    @pytest.mark.parametrize("verb", ["replay", "discard"])
    @pytest.mark.parametrize(
        "options",
        [
            ("abcdef", "--reason", "why"),
            ("abcdef", "--direct"),
            ("--direct", "--reason", "why"),
            ("--direct", "--reason", "why", "--all"),
            ("--direct", "--reason", "why", "--all", "--code", "HG-BODY-EMPTY", "abcdef"),
        ],
        ids=["not direct", "no reason", "none named", "all of everything", "all and one"],
    )
    def test_what_is_missing_is_said_before_anything_is_done(
        self, run: Run, verb: str, options: tuple[str, ...]
    ) -> None:
        assert run("quarantine", verb, *options).exit_code == 2

    def test_a_queue_that_is_down_is_said_and_the_order_stands(
        self, tenant: FakeTenant, outside: FakeOutside, run: Run
    ) -> None:
        put(tenant, b"")
        outside.queues.down = True

        result = run("quarantine", "replay", "--direct", "--yes", "--reason", "why", short(tenant))

        assert result.exit_code == 1
        assert "Could not be done now" in result.stderr
        assert "replay ordered by ada" in run("quarantine", "list").stdout

    def test_what_is_missing_of_a_message_is_said(self, tenant: FakeTenant, run: Run) -> None:
        set_aside(tenant, b"{", queue=REQUESTS, properties={"long": "x" * 2_000})

        assert "Not all that its sender said" in run("quarantine", "replay", "--dry-run", short(tenant)).stderr

    def test_one_that_fails_again_is_listed_and_names_the_first(self, tenant: FakeTenant, run: Run) -> None:
        put(tenant, b"")
        first = short(tenant)
        run("quarantine", "replay", "--direct", "--yes", "--reason", "why", first)
        asyncio.run(tenant.run())

        (again,) = json.loads(run("quarantine", "list", "--json").stdout)

        assert again["properties"][REPLAY].startswith(f"2026-03-02/{first}")


class TestWhatWouldComeOfIt:
    def ahead(self, tenant: FakeTenant, run: Run, body: object, queue: str, *, identity: str = "m-1") -> str:
        set_aside(tenant, json.dumps(body).encode(), queue=queue, identity=identity)
        result = run("quarantine", "replay", "--dry-run", short(tenant, identity))
        assert result.exit_code == 0, result.output
        return result.stdout.partition(": ")[2].splitlines()[0]

    async def id_of_pending(self, tenant: FakeTenant) -> str:
        await pending(tenant)
        return (await tenant.activation()).id

    def test_a_request_that_is_not_on_record_would_be_decided(self, tenant: FakeTenant, run: Run) -> None:
        said = self.ahead(tenant, run, {"requester": ADA.id, "role": "backup-operators"}, REQUESTS)

        assert said == "It is not on record: it would be decided now."

    def test_a_request_that_was_decided_names_its_activation(self, tenant: FakeTenant, run: Run) -> None:
        activation = asyncio.run(self.id_of_pending(tenant))
        (asked,) = [message for message in tenant.bus.sent if message.queue == REQUESTS]

        said = self.ahead(tenant, run, json.loads(asked.body), REQUESTS)

        assert said == (
            "It had its effect already; approvers who were not asked yet would be asked. "
            f"Activation {activation}: pending_approval."
        )

    def test_an_id_that_was_used_with_other_content_would_fail_again(self, tenant: FakeTenant, run: Run) -> None:
        asyncio.run(self.id_of_pending(tenant))
        (asked,) = [message for message in tenant.bus.sent if message.queue == REQUESTS]

        said = self.ahead(tenant, run, {**json.loads(asked.body), "duration": "PT1H"}, REQUESTS)

        assert said.startswith("It would be set aside again: its id was used before, with other content.")

    def test_a_validation_gives_nothing(self, tenant: FakeTenant, run: Run) -> None:
        said = self.ahead(tenant, run, {"requester": ADA.id, "action": "validate", "role": "r"}, REQUESTS)

        assert said == "Nothing would be given; who asks would be told what would be decided."

    @pytest.mark.parametrize("action", ["cancel", "deactivate"])
    def test_a_command_names_what_it_would_end(self, tenant: FakeTenant, run: Run, action: str) -> None:
        activation = asyncio.run(self.id_of_pending(tenant))
        body = {"requester": ADA.id, "action": action, "activation": activation}

        said = self.ahead(tenant, run, body, REQUESTS, identity="m-2")

        assert said == (
            f"It would be carried out now, where the state allows it ({action}). "
            f"Activation {activation}: pending_approval."
        )

    def test_a_command_that_was_carried_out_is_not_carried_out_again(self, tenant: FakeTenant, run: Run) -> None:
        activation = asyncio.run(self.id_of_pending(tenant))
        body = {"requester": ADA.id, "action": "cancel", "activation": activation, "requestId": "run-2"}
        put(tenant, json.dumps(body).encode(), message_id="m-2")

        said = self.ahead(tenant, run, body, REQUESTS)
        other = self.ahead(tenant, run, {**body, "justification": "Why not"}, REQUESTS, identity="m-3")

        assert said == f"It had its effect already; nothing would happen. Activation {activation}: canceled (final)."
        assert other.startswith("It would be set aside again: its id was used before, with other content.")

    def test_a_command_that_names_a_role_says_what_can_not_be_told_yet(self, tenant: FakeTenant, run: Run) -> None:
        body = {"requester": ADA.id, "action": "extend", "role": "backup-operators", "duration": "PT1H"}

        said = self.ahead(tenant, run, body, REQUESTS)

        assert said.startswith("It would be carried out now, unless it was already (extend)")

    def test_a_command_about_nothing_on_record_is_answered(self, tenant: FakeTenant, run: Run) -> None:
        body = {"requester": ADA.id, "action": "cancel", "activation": "a0" * 16}

        said = self.ahead(tenant, run, body, REQUESTS)

        assert said == "It names no activation that is on record; its sender would be told."

    @pytest.mark.parametrize("queue", ["approvals", "provisioning", "expirations"])
    def test_a_nudge_says_what_the_state_asks_for(self, tenant: FakeTenant, run: Run, queue: str) -> None:
        activation = asyncio.run(self.id_of_pending(tenant))

        said = self.ahead(tenant, run, {"activation": activation}, queue)

        assert said.startswith("Approvers who were not asked yet would be asked.")

    def test_a_nudge_about_what_is_due_says_what_the_clock_does(self, tenant: FakeTenant, run: Run) -> None:
        activation = asyncio.run(self.id_of_pending(tenant))
        tenant.clock.advance(timedelta(days=1))
        set_aside(tenant, json.dumps({"activation": activation}).encode(), queue="expirations")

        result = run("quarantine", "replay", "--dry-run", "--all", "--queue", "expirations")

        assert "What is due would happen: approval.lapsed." in result.stdout

    def test_a_nudge_about_nothing_does_nothing(self, tenant: FakeTenant, run: Run) -> None:
        said = self.ahead(tenant, run, {"activation": "a0" * 16}, "provisioning")

        assert said == f"Nothing would happen: there is no such activation. Activation {'a0' * 16}."

    def test_a_tick_starts_what_starts_anyway(self, tenant: FakeTenant, run: Run) -> None:
        assert self.ahead(tenant, run, {}, "ticks") == "A sweep would start, as each minute. There is no need to."

    def test_the_same_request_through_another_door_is_another_request(self, tenant: FakeTenant, run: Run) -> None:
        asyncio.run(self.id_of_pending(tenant))
        (asked,) = [message for message in tenant.bus.sent if message.queue == REQUESTS]

        said = self.ahead(tenant, run, json.loads(asked.body), "signed-in-requests")

        assert said == "It is not on record: it would be decided now."

    def test_a_mail_that_went_out_would_not_go_out_again(self, tenant: FakeTenant, run: Run) -> None:
        activation = asyncio.run(self.id_of_pending(tenant))
        body = {"activation": activation, "what": "approval_wanted", "to": BO.id}

        said = self.ahead(tenant, run, body, "notifications")

        assert said.startswith("Nothing would happen: this mail has gone out.")

    def test_a_mail_that_did_not_would(self, tenant: FakeTenant, run: Run) -> None:
        said = self.ahead(tenant, run, {"activation": "a0" * 16, "what": "ended", "to": BO.id}, "notifications")

        assert said == f"A mail would be sent: ended. Activation {'a0' * 16}."


def audit(tenant: FakeTenant) -> list[dict[str, Any]]:
    """What the audit says that people changed about messages."""
    rows = [row for (table, _), found in tenant.tables.rows.items() if table == "audit" for row in found.values()]
    said = [json.loads(str(row.values["record"])) for row in rows]
    return [record for record in said if str(record["event"]).startswith("message.")]
