"""``{{input.value}}``: what a person typed, put into the url, the body and the headers of an action."""

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{\{\s*(?P<id>[^{}\s]+?)\.value\s*\}\}")


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Return the text with each ``{{id.value}}`` replaced; a place that names no input stays as it is.

    Values go in as they are. Outlook documents no escaping: a quotation mark that somebody typed ends the JSON string
    around it, and whoever receives the body must expect that.
    """
    return _PLACE.sub(lambda place: values.get(place["id"], place[0]), text)
