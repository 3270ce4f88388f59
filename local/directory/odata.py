"""What every Graph answer has in common: ``$select``, ``$filter``, ``$top``, ``$count`` and pages."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from starlette.requests import Request

from local.directory.filters import FilterError, parse_filter
from local.directory.graph_errors import GraphError, bad_request, not_parsed
from local.directory.model import DirectoryObject

_LARGEST_PAGE = 999
_USUAL_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The query options of a request."""

    base: str
    options: Mapping[str, str]

    @classmethod
    def of(cls, request: Request, authority: str) -> Self:
        """Read the options of a request; ``authority`` is where the next page will be asked for."""
        return cls(base=f"{authority}{request.url.path}", options=dict(request.query_params))

    @property
    def context(self) -> str:
        """The ``@odata.context`` of the answer."""
        return f"{self.base.partition('/v1.0')[0]}/v1.0/$metadata"

    def show(self, thing: DirectoryObject) -> dict[str, Any]:
        """Return the selected properties of an object: those asked for, or the few that come unasked."""
        asked = [name.strip() for name in self.options.get("$select", "").split(",") if name.strip()]
        if not asked:
            return {name: thing.properties[name] for name in thing.shown_unasked}
        known = {name.lower(): name for name in thing.properties}
        for name in asked:
            if name.lower() not in known:
                raise not_parsed(
                    "Parsing OData Select and Expand failed: Could not find a property named "
                    f"'{name}' on type 'microsoft.graph.{thing.kind}'."
                )
        return {known[name.lower()]: thing.properties[known[name.lower()]] for name in asked}

    def show_related(self, thing: DirectoryObject) -> dict[str, Any]:
        """Return an object in a collection of mixed kinds: what it has of what was asked, and what it is."""
        asked = [name.strip() for name in self.options.get("$select", "").split(",") if name.strip()]
        shown = asked or thing.shown_unasked
        known = {name.lower(): name for name in thing.properties}
        chosen = {known[name.lower()]: thing.properties[known[name.lower()]] for name in shown if name.lower() in known}
        return {"@odata.type": thing.odata_type, **chosen}

    def matching[Thing: DirectoryObject](self, things: Iterable[Thing], kind: type[Thing]) -> list[Thing]:
        """Return the objects that the filter lets through, in the order of their ids."""
        ordered = sorted(things, key=lambda thing: thing.id)
        if not (text := self.options.get("$filter")):
            return ordered
        try:
            accepts = parse_filter(text, {"id": "", "displayName": "", **kind.defaults}, kind.kind)
        except FilterError as error:
            raise not_parsed(str(error)) from None
        return [thing for thing in ordered if accepts(thing.properties)]

    def page[Thing: DirectoryObject](self, things: list[Thing]) -> tuple[list[Thing], dict[str, Any]]:
        """Return the objects of the page asked for, and what surrounds them in the answer.

        Pages go on after the last id of the page before, so that a change between two pages skips nobody.
        """
        size, after = self._page_size(), self._page_start()
        rest = [thing for thing in things if thing.id > after]
        envelope: dict[str, Any] = {"@odata.context": self.context}
        if self.options.get("$count", "").lower() == "true":
            envelope["@odata.count"] = len(things)
        if len(rest) > size:
            mark = base64.urlsafe_b64encode(rest[size - 1].id.encode()).decode()
            envelope["@odata.nextLink"] = f"{self.base}?{urlencode({**self.options, '$skiptoken': mark})}"
        return rest[:size], envelope

    def _page_size(self) -> int:
        asked = self.options.get("$top")
        if asked is None:
            return _USUAL_PAGE
        if not asked.isdecimal() or not 1 <= int(asked) <= _LARGEST_PAGE:
            raise bad_request(
                f"Invalid page size specified: '{asked}'. Must be between 1 and {_LARGEST_PAGE} inclusive."
            )
        return int(asked)

    def _page_start(self) -> str:
        try:
            return base64.urlsafe_b64decode(self.options.get("$skiptoken", "")).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise GraphError(400, "Directory_ExpiredPageToken", "The specified page token value has expired.") from None
