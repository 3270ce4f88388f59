"""OData ``$filter``: the part of the grammar that directory look-ups use, as a predicate over properties."""

import re
from collections.abc import Callable, Mapping
from typing import Any

type Predicate = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_][\w./-]*)|(?P<mark>[():,]))")


class FilterError(ValueError):
    """A filter that cannot be understood; the text is what Graph says."""


def parse_filter(text: str, known: Mapping[str, Any], kind: str) -> Predicate:
    """Return the predicate that a filter describes.

    ``known`` has the properties of the kind of object. Text is compared without regard to case, as Graph does.

    Raises:
        FilterError: bad syntax, or a property that this kind of object does not have.
    """
    return _Parser(text, known, kind).parse()


class _Parser:
    """Recursive descent: or, and, not, comparison."""

    def __init__(self, text: str, known: Mapping[str, Any], kind: str) -> None:
        self._tokens = _tokenize(text)
        self._names = {name.lower(): name for name in known}
        self._kind = kind

    def parse(self) -> Predicate:
        predicate = self._either()
        if self._tokens:
            raise _syntax(self._tokens[0])
        return predicate

    def _either(self) -> Predicate:
        options = [self._both()]
        while self._take_if("or"):
            options.append(self._both())
        return lambda properties: any(option(properties) for option in options)

    def _both(self) -> Predicate:
        demands = [self._single()]
        while self._take_if("and"):
            demands.append(self._single())
        return lambda properties: all(demand(properties) for demand in demands)

    def _single(self) -> Predicate:
        if self._take_if("not"):
            inner = self._single()
            return lambda properties: not inner(properties)
        if self._take_if("("):
            inner = self._either()
            self._expect(")")
            return inner
        word = self._take()
        if word.lower() == "startswith":
            return self._starts_with()
        if word.endswith("/any"):
            return self._any(self._property(word.removesuffix("/any")))
        return self._comparison(self._property(word))

    def _starts_with(self) -> Predicate:
        self._expect("(")
        name = self._property(self._take())
        self._expect(",")
        start = str(self._literal()).lower()
        self._expect(")")
        return lambda properties: str(properties[name] or "").lower().startswith(start)

    def _any(self, name: str) -> Predicate:
        self._expect("(")
        variable = self._take()
        self._expect(":")
        self._expect(variable)
        self._expect("eq")
        wanted = _folded(self._literal())
        self._expect(")")
        return lambda properties: any(_folded(item) == wanted for item in properties[name])

    def _comparison(self, name: str) -> Predicate:
        operator = self._take().lower()
        if operator == "in":
            self._expect("(")
            choices = [_folded(self._literal())]
            while self._take_if(","):
                choices.append(_folded(self._literal()))
            self._expect(")")
            return lambda properties: _folded(properties[name]) in choices
        if operator not in ("eq", "ne"):
            raise FilterError(f"Unsupported property filter clause operator '{operator}'.")
        wanted = _folded(self._literal())
        return lambda properties: (_folded(properties[name]) == wanted) is (operator == "eq")

    def _property(self, word: str) -> str:
        try:
            return self._names[word.lower()]
        except KeyError:
            message = f"Could not find a property named '{word}' on type 'microsoft.graph.{self._kind}'."
            raise FilterError(f"Invalid filter clause: {message}") from None

    def _literal(self) -> str | bool | None:
        token = self._take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        constants: dict[str, bool | None] = {"true": True, "false": False, "null": None}
        if token not in constants:
            raise _syntax(token)
        return constants[token]

    def _take(self) -> str:
        if not self._tokens:
            raise _syntax("end of text")
        return self._tokens.pop(0)

    def _take_if(self, wanted: str) -> bool:
        if self._tokens and self._tokens[0].lower() == wanted:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, wanted: str) -> None:
        token = self._take()
        if token.lower() != wanted.lower():
            raise _syntax(token)


def _tokenize(text: str) -> list[str]:
    tokens, position = [], 0
    rest = text.rstrip()
    while position < len(rest):
        match = _TOKEN.match(rest, position)
        if match is None:
            raise _syntax(rest[position])
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _syntax(token: str) -> FilterError:
    return FilterError(f"Invalid filter clause: Syntax error at '{token}'.")
