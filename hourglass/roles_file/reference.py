"""Writes the table of settings in docs/roles.md from the published schema: `python -m hourglass.roles_file.reference`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hourglass.roles_file.shape import schema

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
BEGIN, END = "<!-- settings: made from the schema -->\n", "<!-- end of settings -->\n"


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield field, what is written there, and what it means, in the order of the schema."""
    whole = schema()
    yield from _rows("", whole, whole["$defs"])


def _rows(prefix: str, owner: Mapping[str, Any], kinds: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, stated in owner.get("properties", {}).items():
        field = f"{prefix}{name}"
        kind = _followed(stated, kinds)
        written = f"{'required: ' if name in owner.get('required', ()) else ''}{_written(stated, kind, kinds)}"
        yield field, written, stated.get("description") or kind["description"]
        yield from _rows(f"{field}.", kind, kinds)
        if isinstance(kind.get("additionalProperties"), dict):
            inner = _followed(kind["additionalProperties"], kinds)
            yield f"{field}.KEY", inner["title"], inner["description"]
            yield from _rows(f"{field}.KEY.", inner, kinds)
        if "items" in kind:
            yield from _rows(f"{field}[].", _followed(kind["items"], kinds), kinds)


def _followed(stated: Mapping[str, Any], kinds: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = kinds[stated["$ref"].rpartition("/")[2]] if "$ref" in stated else stated
    return found


def _written(stated: Mapping[str, Any], kind: Mapping[str, Any], kinds: Mapping[str, Any]) -> str:
    if "const" in kind:
        return f"`{kind['const']}`"
    if "enum" in kind:
        return " or ".join(f"`{choice}`" for choice in kind["enum"])
    if kind.get("type") == "array":
        items = _followed(kind["items"], kinds)
        return f"list of {_written(kind['items'], items, kinds)}"
    if kind.get("type") == "object":
        return str(kind.get("title", "mapping"))
    example = next(iter(kind.get("examples", ())), None)
    title = str(kind.get("title", stated.get("title", "text")))
    return f"{title}, such as `{example}`" if example else title


def table() -> str:
    """Return the table in Markdown."""
    lines = [f"| `{field}` | {written} | {meaning} |" for field, written, meaning in rows()]
    return "\n".join(["| Field | Written as | Meaning |", "|---|---|---|", *lines]) + "\n"


def renewed(page: str) -> str:
    """Return the page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
