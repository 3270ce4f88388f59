"""HTTP triggers."""

from collections.abc import Iterator

import httpx
import pytest

from .running_host import APPS, RunningHost

pytestmark = pytest.mark.real

GUID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
MASTER = {"x-functions-key": "sample-master-key"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    functions = ("--functions", "people", "kept", "raises", "late", "rest")
    with RunningHost(APPS / "sample", tmp_path_factory.mktemp("host"), *functions) as running:
        yield running


@pytest.fixture(scope="module")
def client(host: RunningHost) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=host.url, trust_env=False) as calling:
        yield calling


def test_a_request_reaches_the_function_whole(client: httpx.Client) -> None:
    answer = client.post(f"/people/{GUID}?q=1&q=2", content="ada", headers={"X-Sample": "yes"})

    seen = answer.json()
    assert (seen["id"], seen["method"], seen["body"], seen["query"]) == (GUID, "POST", "ada", {"q": "1,2"})
    assert seen["x-sample"] == "yes"
    assert all(name == name.lower() for name in seen["names"])


def test_a_response_comes_back_with_its_headers_and_cookies(client: httpx.Client) -> None:
    answer = client.get(f"/people/{GUID}")

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-answer"] == "yes"
    assert answer.headers["set-cookie"] == "seen=1; HttpOnly; Path=/; SameSite=Lax"


def test_a_wrong_method_is_not_found_rather_than_not_allowed(client: httpx.Client) -> None:
    assert client.delete(f"/people/{GUID}").status_code == 404


def test_the_most_literal_route_answers_and_the_rest_goes_to_the_catch_all(client: httpx.Client) -> None:
    assert client.get("/people/not-a-guid").text == "rest:people/not-a-guid"
    assert client.get("/a/b%20c").text == "rest:a/b c"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/kept", {}, 401),
        ("/kept", {"x-functions-key": "wrong"}, 401),
        ("/kept", {"x-functions-key": "sample-function-key"}, 200),
        ("/kept?code=sample-function-key", {}, 200),
        ("/kept", MASTER, 200),
    ],
)
def test_a_function_asks_for_its_key(client: httpx.Client, path: str, headers: dict[str, str], status: int) -> None:
    assert client.get(path, headers=headers).status_code == status


def test_a_function_that_raises_tells_the_caller_nothing(host: RunningHost, client: httpx.Client) -> None:
    answer = client.get("/raises")

    assert (answer.status_code, answer.content) == (500, b"")
    line = host.wait_for_line("Executed 'Functions.raises' (Failed")
    assert "not for the caller's eyes" in line["exception"]


def test_a_function_that_runs_too_long_is_ended(host: RunningHost, client: httpx.Client) -> None:
    assert client.get("/late", timeout=20).status_code == 500

    assert "timeout of 0:00:02 exceeded" in host.wait_for_line("Executed 'Functions.late' (Failed")["exception"]


def test_the_admin_endpoints_ask_for_the_master_key(client: httpx.Client) -> None:
    assert client.get("/admin/host/status").status_code == 401
    assert client.get("/admin/host/status", headers=MASTER).json() == {"state": "Running"}
    assert client.post("/admin/functions/nobody", headers=MASTER).status_code == 404
