"""Every body that Power Automate and Logic Apps are known to send, and hostile ones: read, or set aside by name."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.body import BODY_LIMIT, read_body
from access.errors import Code, Unusable
from access.model import Door
from access.wire import Envelope, RequestCommand, read_request

SAMPLES = Path(__file__).parent.parent / "samples" / "activation-requests"
MANIFEST: dict[str, dict[str, Any]] = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))
READ = [name for name, sample in MANIFEST.items() if "reads" in sample]
SET_ASIDE = [name for name, sample in MANIFEST.items() if "set_aside" in sample]
ENVELOPE = Envelope(queue="activation-requests", message_id="message-1")
WCF_STRING = b"@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/"


def read_whole(raw: bytes) -> RequestCommand:
    body, repairs = read_body(raw)
    return read_request(body, ENVELOPE, door=Door.FLOW, repairs=repairs)


def refused(raw: bytes) -> Code:
    with pytest.raises(Unusable) as caught:
        read_body(raw)
    assert caught.value.what
    return caught.value.code


def test_every_sample_is_in_the_manifest_and_says_what_comes_of_it() -> None:
    stored = {path.name for path in SAMPLES.iterdir()} - {"manifest.json"}
    assert stored == set(MANIFEST)
    assert sorted([*READ, *SET_ASIDE]) == sorted(MANIFEST)


@pytest.mark.parametrize("name", READ)
def test_a_sample_is_read_and_each_repair_is_reported(name: str) -> None:
    sample = MANIFEST[name]
    command = read_whole((SAMPLES / name).read_bytes())
    assert list(command.repairs) == sample["repairs"]
    assert command.role == sample["reads"]["role"]
    assert [problem.code for problem in command.problems] == sample.get("problems", [])
    assert list(command.ignored) == sample.get("ignored", [])
    duration = command.duration.total_seconds() if command.duration else None
    assert duration == sample["reads"].get("duration_seconds", duration)


@pytest.mark.parametrize("name", SET_ASIDE)
def test_a_sample_that_can_never_succeed_is_set_aside_with_its_reason(name: str) -> None:
    with pytest.raises(Unusable) as caught:
        read_whole((SAMPLES / name).read_bytes())
    assert caught.value.code == MANIFEST[name]["set_aside"]
    assert caught.value.what


@pytest.mark.parametrize("name", ["json-string.json", "base64.txt", "base64-in-json-string.json", "wcf-string.bin"])
def test_however_it_was_wrapped_it_is_the_same_request(name: str) -> None:
    plain, _ = read_body((SAMPLES / "plain.json").read_bytes())
    wrapped, _ = read_body((SAMPLES / name).read_bytes())
    assert wrapped == plain


# Hostile bodies


def test_a_body_over_the_limit_is_set_aside_unread() -> None:
    padding = BODY_LIMIT - len(b'{"requester":"ada"}')
    assert read_body(b'{"requester":"ada"}' + b" " * padding)[0] == {"requester": "ada"}
    assert refused(b'{"requester":"ada"}' + b" " * (padding + 1)) is Code.BODY_TOO_LARGE
    assert refused(b"\xff" * 256 * 1024) is Code.BODY_TOO_LARGE


@pytest.mark.parametrize("deep", [b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000])
def test_a_body_nested_ten_thousand_deep_is_set_aside(deep: bytes) -> None:
    assert refused(deep) is Code.BODY_TOO_DEEP
    assert refused(json.dumps(deep.decode()).encode()) is Code.BODY_TOO_DEEP


def test_a_body_that_is_never_closed_however_deep_is_set_aside() -> None:
    assert refused(b"[" * 100_000) is Code.BODY_TOO_DEEP


@pytest.mark.parametrize("depth", [100, 1_000, 9_000])
def test_a_body_that_can_just_be_read_can_be_judged_too(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    names = ("version", "action", "principal", "role", "duration", "start", "justification", "ticket", "requestId")
    for name in names:
        body, repairs = read_body(f'{{"requester": "ada", "{name}": {nested}, "unknown": {nested}}}'.encode())
        assert read_request(body, ENVELOPE, door=Door.FLOW, repairs=repairs).problems


def test_a_number_of_ten_thousand_digits_is_not_json_for_us() -> None:
    assert refused(b'{"duration": ' + b"9" * 10_000 + b"}") is Code.BODY_NOT_JSON


@pytest.mark.parametrize("raw", [b'"hello"', b'""', b"hello", b'"\xc2\xa0"'])
def test_plain_words_are_not_json(raw: bytes) -> None:
    assert refused(raw) is Code.BODY_NOT_JSON


@pytest.mark.parametrize("raw", [b"[]", b"null", b"true", b"1.5", b"NaN", b'"[1]"'])
def test_json_that_is_no_object_is_named_as_such(raw: bytes) -> None:
    assert refused(raw) is Code.BODY_NOT_OBJECT


def test_a_request_wrapped_twice_is_not_unwrapped_twice() -> None:
    twice = json.dumps(json.dumps("{}"))
    assert refused(twice.encode()) is Code.BODY_NOT_OBJECT
    assert refused(base64.b64encode(base64.b64encode(b"{}"))) is Code.BODY_NOT_JSON


def test_base64_of_what_is_no_text_is_not_json() -> None:
    assert refused(base64.b64encode(b"\xff\xfe\xfd\xfc")) is Code.BODY_NOT_JSON


def test_base64_of_nothing_is_not_json() -> None:
    assert refused(b'"===="') is Code.BODY_NOT_JSON


@pytest.mark.parametrize("length", [1, 2, 100, 122, 123, 124, 255, 256, 379, 31_611, 65_535, 65_536, 150_000])
def test_a_wcf_string_is_read_by_the_length_it_states(length: int) -> None:
    text = b'{"a":"' + b"x" * (length - 8) + b'"}' if length >= 8 else b"{}"[:length]
    size = 1 if length < 2**8 else 2 if length < 2**16 else 4
    record = {1: b"\x99", 2: b"\x9b", 4: b"\x9d"}[size]
    raw = WCF_STRING + record + len(text).to_bytes(size, "little") + text
    if length == 1:
        assert refused(raw) is Code.BODY_NOT_JSON
        return
    assert read_body(raw) == (json.loads(text), ("wcf-string",))


@pytest.mark.parametrize("rest", [b"", b"\x99", b"\x99\x00", b"\x9d\x01", b"\x00", b"\x00}{", b"\x00hello"])
def test_a_wcf_prefix_with_nothing_in_it_is_an_empty_body(rest: bytes) -> None:
    assert refused(WCF_STRING + rest) is Code.BODY_EMPTY


def test_a_wcf_string_that_holds_a_json_string_or_base64_is_unwrapped_like_any_other() -> None:
    text = base64.b64encode(b'{"requester":"ada"}')
    raw = WCF_STRING + b"\x99" + bytes([len(text)]) + text
    assert read_body(raw) == ({"requester": "ada"}, ("wcf-string", "base64"))


# Anything at all

BRACKETS = st.text(st.sampled_from('{}[]":,\\ \n\x00\ufeffae1=-')).map(str.encode)
WRAPPED = BRACKETS.map(base64.b64encode) | BRACKETS.map(lambda raw: json.dumps(raw.decode()).encode())


@given(st.binary() | BRACKETS | WRAPPED | st.binary().map(lambda rest: WCF_STRING + rest))
def test_whatever_the_bytes_they_are_read_or_set_aside_and_nothing_else_happens(raw: bytes) -> None:
    try:
        body, repairs = read_body(raw)
    except Unusable:
        return
    assert all(isinstance(key, str) for key in body)
    assert set(repairs) <= {"wcf-string", "padding", "json-string", "base64"}
