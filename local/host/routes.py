"""Route templates as ASP.NET reads them: ``{id}``, ``{id:guid}``, ``{a?}``, ``{a=x}``, ``{*rest}``, ``file-{id}.json``.

Matching ignores case. Of several templates that match, the most literal wins, segment by segment from the left.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

_NUMBER = r"-?\d+"
_CONSTRAINTS = {
    "alpha": r"[A-Za-z]+",
    "bool": r"(?:true|false)",
    "decimal": r"-?\d+(?:\.\d+)?",
    "double": r"-?\d+(?:\.\d+)?",
    "float": r"-?\d+(?:\.\d+)?",
    "guid": r"\{?[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}\}?",
    "int": _NUMBER,
    "long": _NUMBER,
    "required": r"[^/]+",
}
_PARAMETER = re.compile(r"\{(?P<star>\*{0,2})(?P<name>\w+)(?P<constraints>(?::[^{}?=]+)*)(?P<end>\?|=[^{}]*)?\}")
_LITERAL, _MIXED, _CONSTRAINED, _ANY, _CATCH_ALL = range(5)


@dataclass(frozen=True, slots=True)
class Route:
    """One template, ready to match paths; routes sort by precedence, the first to try first."""

    template: str
    pattern: re.Pattern[str]
    defaults: dict[str, str]
    precedence: tuple[int, ...]

    @classmethod
    def parse(cls, template: str) -> Self:
        """Return the route that a template describes.

        Raises:
            ValueError: a parameter or a constraint in it is unknown here.
        """
        pattern, defaults, precedence = "", {}, []
        for segment in [part for part in template.strip("/").split("/") if part]:
            whole = _PARAMETER.fullmatch(segment)
            if whole is None:
                pattern += "/" + _mixed(segment, template)
                precedence.append(_MIXED if "{" in segment else _LITERAL)
                continue
            expression = f"(?P<{whole['name']}>{_expression(whole, template)})"
            if whole["end"] and whole["end"].startswith("="):
                defaults[whole["name"]] = whole["end"][1:]
            pattern += f"(?:/{expression})?" if whole["end"] or whole["star"] else f"/{expression}"
            precedence.append(_CATCH_ALL if whole["star"] else _CONSTRAINED if whole["constraints"] else _ANY)
        return cls(template, re.compile(pattern + "/?", re.IGNORECASE), defaults, tuple(precedence))

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of a path as it was sent (percent-encoded), or ``None`` when it does not match."""
        found = self.pattern.fullmatch(path if path.startswith("/") else f"/{path}")
        if found is None:
            return None
        given = {name: _decoded(value) for name, value in found.groupdict().items() if value is not None}
        return self.defaults | given


def _decoded(value: str) -> str:
    # An encoded slash stays encoded: it must not become a separator.
    return "%2F".join(unquote(part) for part in re.split("%2f", value, flags=re.IGNORECASE))


def _mixed(segment: str, template: str) -> str:
    pattern, position = "", 0
    for match in _PARAMETER.finditer(segment):
        pattern += re.escape(segment[position : match.start()]) + f"(?P<{match['name']}>{_expression(match, template)})"
        position = match.end()
    rest = segment[position:]
    if "{" in rest or "}" in rest:
        raise ValueError(f"route {template!r}: {segment!r} is not a valid segment")
    return pattern + re.escape(rest)


def _expression(match: re.Match[str], template: str) -> str:
    expression = ".*" if match["star"] else "[^/]+?" if match.group() != match.string else "[^/]+"
    look_ahead = ""
    for constraint in filter(None, (match["constraints"] or "").split(":")):
        if constraint in _CONSTRAINTS:
            expression = _CONSTRAINTS[constraint]
        elif sized := re.fullmatch(r"(length|minlength|maxlength)\((\d+)(?:,(\d+))?\)", constraint):
            look_ahead += _length(sized[1], sized[2], sized[3])
        else:
            raise ValueError(f"route {template!r}: the constraint {constraint!r} is not known to this host")
    return look_ahead + expression


def _length(kind: str, low: str, high: str | None) -> str:
    bounds = {"length": f"{low},{high or low}", "minlength": f"{low},", "maxlength": f"0,{low}"}[kind]
    return f"(?=[^/]{{{bounds}}}(?:/|$))"
