"""Puts the figures of a run into docs/figures.md, between two marks; the rest of the page is written by people. Pure."""

from collections.abc import Sequence

from bench.figures import Figure, by_group

BEGIN, END = "<!-- figures: written by `python -m bench --publish` -->", "<!-- end of figures -->"
HEADINGS = ("Figure", "Measured", "Floor", "Ratio", "Held to", "")


def page(text: str, figures: Sequence[Figure], served: Sequence[Sequence[str]], *, machine: str) -> str:
    """Return the page with the figures of a run.

    Raises:
        ValueError: the page has lost its marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("docs/figures.md has lost the marks between which figures stand")
    lines = [f"One run, on a machine with {machine}.", ""]
    for group, some in by_group(figures).items():
        lines += [f"### {group}", "", *_table(HEADINGS, [figure.cells for figure in some]), ""]
    if served:
        headings = ("Life", "Calls", "To", "Which", "Serves")
        lines += ["### What each call of a life serves", "", *_table(headings, [_code(row) for row in served]), ""]
    return "\n".join([f"{before}{begin}", "", *lines, f"{end}{after}"])


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]


def _code(row: Sequence[str]) -> list[str]:
    life, times, to, what, serves = row
    return [life, times, to, f"`{what}`", serves]
