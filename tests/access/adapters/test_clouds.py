"""Each cloud has its own hosts, and none leads from one cloud into another."""

from dataclasses import astuple
from urllib.parse import urlsplit

import pytest

from access.adapters.clouds import CLOUDS

SUFFIXES = {"public": (".com", ".net"), "usgov": (".us", ".net"), "usgov-dod": (".us", ".net"), "china": (".cn",)}


def test_the_clouds_are_those_of_microsoft() -> None:
    assert list(CLOUDS) == list(SUFFIXES)


@pytest.mark.parametrize("cloud", SUFFIXES)
def test_its_addresses_are_https_without_a_path(cloud: str) -> None:
    for url in (CLOUDS[cloud].authority, CLOUDS[cloud].graph, CLOUDS[cloud].manager):
        parts = urlsplit(url)
        assert (parts.scheme, parts.path) == ("https", "")
        assert parts.netloc.endswith(SUFFIXES[cloud])


def test_only_the_two_of_the_us_government_share_hosts() -> None:
    public, china = set(astuple(CLOUDS["public"])), set(astuple(CLOUDS["china"]))
    government = set(astuple(CLOUDS["usgov"])) | set(astuple(CLOUDS["usgov-dod"]))

    assert public & china == public & government == china & government == set()
    assert CLOUDS["usgov"].graph != CLOUDS["usgov-dod"].graph
