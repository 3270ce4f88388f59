"""Reads the pages of the documentation, as far as tests compare them with the code."""

import re
from itertools import dropwhile, takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def text(name: str) -> str:
    """Return a page by its path from the top of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above; the heading must be there."""
    level = heading.split(" ", maxsplit=1)[0]
    _, found, rest = page.partition(f"\n{heading}\n")
    assert found, f"no heading {heading!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def _is_row(line: str) -> bool:
    return line.startswith("|")


def table(part: str) -> list[dict[str, str]]:
    """Return the rows of the first table of a part of a page, each by the names of its columns."""
    lines = list(takewhile(_is_row, dropwhile(lambda line: not _is_row(line), _FENCED.sub("", part).splitlines())))
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    names = rows[0]
    body = rows[2:]
    assert all(len(row) == len(names) for row in body), "a row of the table has too many or too few cells"
    return [dict(zip(names, row, strict=True)) for row in body]


def codes(cell: str) -> list[str]:
    """Return what stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def links(page: str) -> list[str]:
    """Return where a page's links lead, those in code left out."""
    return _LINK.findall(_FENCED.sub("", page))


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#{1,6} (.+)$", _FENCED.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"`", "", heading).lower()).replace(" ", "-") for heading in headings}
