"""Settings: each is read and checked, and everything that is wrong is said at once, by name, without a secret."""

import base64
from datetime import timedelta

import pytest

from access.adapters.clouds import CLOUDS
from access.adapters.settings import Settings, SettingsWrong, read

KEY = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")
OTHER_KEY = base64.urlsafe_b64encode(b"o" * 32).decode()
TENANT = "C0470500-0000-4000-8000-000000000001"
GOOD = {
    "TENANT_ID": TENANT,
    "ServiceBus": "Endpoint=sb://contoso.example/;SharedAccessKeyName=app;SharedAccessKey=a-bus-secret",
    "LEDGER": "AccountName=contoso;AccountKey=a-table-secret",
    "MAIL_SENDER": "hourglass@contoso.example",
    "PUBLIC_URL": "https://hourglass.contoso.example/",
    "CARD_KEYS": f"k2:{KEY}, k1:{OTHER_KEY}",
    "CARD_CLIENT_ID": "card-client",
}


def settings(**changed: str | None) -> Settings:
    return read({name: value for name, value in {**GOOD, **changed}.items() if value is not None})


def problems(**changed: str | None) -> list[str]:
    with pytest.raises(SettingsWrong) as wrong:
        settings(**changed)
    return wrong.value.problems


class TestWhatIsRead:
    def test_the_least_there_is_to_say_is_enough(self) -> None:
        found = settings()

        assert (found.part, found.tenant, found.mail_sender) == ("all", TENANT.lower(), "hourglass@contoso.example")
        assert found.public_url == "https://hourglass.contoso.example"
        assert (found.authority, found.graph) == (CLOUDS["public"].authority, CLOUDS["public"].graph)
        assert (found.card_audiences, found.card_scope) == (("card-client",), "Actions.Invoke")
        assert (found.originator, found.client_id, found.managed_identity) == ("", "", False)
        assert found.storage_suffix == "core.windows.net"

    def test_times_are_those_of_the_protocol_unless_said_otherwise(self) -> None:
        assert settings().timing.in_flight == timedelta(seconds=70)

        said = settings(CALL_LIMIT="2", CALL_TAIL="0.5", PROOF_WINDOW="3").timing

        assert (said.call_limit, said.tail) == (timedelta(seconds=2), timedelta(seconds=0.5))
        assert said.proof_window == timedelta(seconds=3)

    def test_connections_may_be_names_for_an_identity(self) -> None:
        found = settings(
            ServiceBus=None,
            LEDGER=None,
            ServiceBus__fullyQualifiedNamespace="contoso.servicebus.windows.net",
            LEDGER__accountName="contosoledger",
            IDENTITY_ENDPOINT="http://127.0.0.1:1/token",
            AZURE_CLIENT_ID="an-identity",
        )

        assert (found.bus_connection, found.bus_namespace) == ("", "contoso.servicebus.windows.net")
        assert (found.ledger_connection, found.ledger_account) == ("", "contosoledger")
        assert (found.managed_identity, found.client_id) == (True, "an-identity")

    @pytest.mark.parametrize("cloud", CLOUDS)
    def test_a_cloud_brings_its_hosts(self, cloud: str) -> None:
        found = settings(CLOUD=cloud)

        assert (found.authority, found.graph) == (CLOUDS[cloud].authority, CLOUDS[cloud].graph)
        assert found.storage_suffix == CLOUDS[cloud].storage

    def test_a_laptops_hosts_may_be_http_on_loopback(self) -> None:
        found = settings(AUTHORITY="http://127.0.0.1:7080/", GRAPH_ENDPOINT="http://localhost:7080")

        assert (found.authority, found.graph) == ("http://127.0.0.1:7080", "http://localhost:7080")

    def test_keys_are_in_their_order_with_or_without_padding(self) -> None:
        assert list(settings().card_keys.items()) == [("k2", b"k" * 32), ("k1", b"o" * 32)]

    def test_an_audience_by_uri_counts_beside_the_client_id(self) -> None:
        assert settings(CARD_AUDIENCE="api://auth-am-1/card").card_audiences == ("card-client", "api://auth-am-1/card")
        assert settings(CARD_AUDIENCE="api://a", CARD_CLIENT_ID=None).card_audiences == ("api://a",)

    @pytest.mark.parametrize("part", ["all", "web", "worker"])
    def test_a_part_is_one_of_three(self, part: str) -> None:
        assert settings(PART=part).part == part


class TestWhatIsWrong:
    def test_everything_that_is_missing_is_said_at_once_by_name(self) -> None:
        with pytest.raises(SettingsWrong) as wrong:
            read({})

        said = {problem.partition(" ")[0] for problem in wrong.value.problems}
        assert said == {
            "TENANT_ID",
            "ServiceBus",
            "LEDGER",
            "MAIL_SENDER",
            "PUBLIC_URL",
            "CARD_KEYS",
            "CARD_CLIENT_ID",
        }
        assert all(name in str(wrong.value) for name in said)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("TENANT_ID", "contoso.example"),
            ("PART", "both"),
            ("CLOUD", "moon"),
            ("PUBLIC_URL", "http://hourglass.contoso.example"),
            ("PUBLIC_URL", "hourglass.contoso.example"),
            ("PUBLIC_URL", "https://"),
            ("PUBLIC_URL", "https://[::1"),
            ("AUTHORITY", "http://login.contoso.example"),
            ("AUTHORITY", "http://127.0.0.1.contoso.example"),
            ("GRAPH_ENDPOINT", "ftp://graph.contoso.example"),
            ("CALL_LIMIT", "0"),
            ("CALL_LIMIT", "-1"),
            ("CALL_TAIL", "soon"),
            ("CALL_TAIL", "nan"),
            ("PROOF_WINDOW", "inf"),
            ("PROOF_WINDOW", "86400"),
            ("GRAPH_WRITES", "0"),
            ("GRAPH_WRITES", "12.5"),
            ("GRAPH_WINDOW", "0"),
            ("MAIL_SENDER", "   "),
            ("CARD_KEYS", "k1"),
            ("CARD_KEYS", "k1:short"),
            ("CARD_KEYS", f":{KEY}"),
            ("CARD_KEYS", f"k1:{KEY},k2:"),
            ("CARD_KEYS", " , "),
            ("CARD_KEYS", "k1:ä"),
        ],
    )
    def test_a_value_that_can_not_be_used_is_said_by_the_name_of_its_setting(self, name: str, value: str) -> None:
        (problem,) = problems(**{name: value})

        assert problem.startswith(name)

    def test_two_ways_to_one_service_are_one_too_many(self) -> None:
        both = {
            "ServiceBus__fullyQualifiedNamespace": "contoso.servicebus.windows.net",
            "LEDGER__accountName": "contoso",
        }

        first, second = problems(**both)

        assert first.startswith("ServiceBus and ServiceBus__fullyQualifiedNamespace are both set")
        assert second.startswith("LEDGER and LEDGER__accountName are both set")

    def test_what_is_wrong_with_a_key_is_said_without_the_key(self) -> None:
        secret = base64.urlsafe_b64encode(b"almost a key").decode()

        assert secret not in str(problems(CARD_KEYS=f"k1:{secret}"))


class TestSecrets:
    def test_none_is_shown_with_the_settings(self) -> None:
        shown = f"{settings()!r} {settings()}"

        assert [secret for secret in ("a-bus-secret", "a-table-secret", KEY, "kkkk") if secret in shown] == []
