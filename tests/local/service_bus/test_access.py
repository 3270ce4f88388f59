"""The SAS check: off until a key is configured, and then nothing is open without a token of that key."""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus._pyamqp.utils import generate_sas_token  # the very tokens that the SDK sends
from azure.servicebus.exceptions import ServiceBusAuthenticationError

from local.service_bus.network.access import Access, SharedAccessKey, path_of
from local.service_bus.network.errors import UnauthorizedError
from local.service_bus.testing import RunningBroker

from .samples import NOON, QUICK, TOPOLOGY, Clock, held

KEY = SharedAccessKey("local", "c2VjcmV0")
EXPIRY = int(NOON) + 600


def token(*, audience: str = "sb://127.0.0.1:5672/requests", name: str = KEY.name, key: str = KEY.key) -> str:
    signed: str = generate_sas_token(audience, name, key, EXPIRY)  # type: ignore[no-untyped-call]
    return signed


def test_without_a_key_everything_is_open(clock: Clock) -> None:
    access = Access(None, clock)

    access.put_token("anything")
    access.require("requests")


def test_a_token_opens_its_entity_and_what_is_below_it_until_it_expires(clock: Clock) -> None:
    access = Access(KEY, clock)

    access.put_token(token())

    access.require("requests")
    access.require("Requests/$DeadLetterQueue")
    with pytest.raises(UnauthorizedError):
        access.require("requests-of-others")
    clock.now = EXPIRY
    with pytest.raises(UnauthorizedError):
        access.require("requests")


def test_a_token_of_the_namespace_opens_all_of_it(clock: Clock) -> None:
    access = Access(KEY, clock)

    access.put_token(token(audience="sb://127.0.0.1:5672/"))

    access.require("notices")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(token(key="b3RoZXI="), id="another key"),
        pytest.param(token(name="other"), id="another name"),
        pytest.param(token().replace("requests", "notices"), id="another entity than was signed"),
        pytest.param(token().replace(f"se={EXPIRY}", f"se={EXPIRY + 1}"), id="a later expiry than was signed"),
        pytest.param(token().replace("sig=", "sig=!"), id="a signature that is not base64"),
        pytest.param("SharedAccessSignature ", id="nothing in it"),
        pytest.param("eyJhbGciOi", id="another kind of token"),
        pytest.param(None, id="no token"),
    ],
)
def test_a_token_that_is_not_of_this_key_is_refused(clock: Clock, wrong: Any) -> None:
    access = Access(KEY, clock)

    with pytest.raises(UnauthorizedError):
        access.put_token(wrong)

    with pytest.raises(UnauthorizedError):
        access.require("requests")


def test_an_expired_token_is_refused(clock: Clock) -> None:
    clock.now = EXPIRY

    with pytest.raises(UnauthorizedError, match="expired"):
        Access(KEY, clock).put_token(token())


def test_an_address_is_a_path_with_or_without_a_host() -> None:
    assert path_of("amqps://127.0.0.1:5672/events/Subscriptions/flows") == "events/Subscriptions/flows"
    assert path_of("requests/") == "requests"


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningBroker]:
    with RunningBroker(topology=TOPOLOGY, shared_access_key=KEY) as guarded:
        yield guarded


def send(connection_string: str) -> None:
    with (
        ServiceBusClient.from_connection_string(connection_string, retry_total=0) as client,
        client.get_queue_sender("requests", **QUICK) as sender,
    ):
        sender.send_messages(ServiceBusMessage("Ada asks"))


@pytest.mark.real
def test_the_sdk_gets_in_with_the_key_and_not_with_another(guarded: RunningBroker) -> None:
    send(guarded.connection_string)

    with pytest.raises(ServiceBusAuthenticationError):
        send(guarded.connection_string.replace(KEY.key, "b3RoZXI="))

    assert held(guarded, "requests") == [(b"Ada asks", "ACTIVE")]
