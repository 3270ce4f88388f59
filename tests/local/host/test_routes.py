"""Route templates, as ASP.NET reads them."""

import pytest

from local.host.routes import Route

GUID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("hello", "/hello", {}),
        ("hello", "/HELLO/", {}),
        ("hello", "/hello/ada", None),
        ("people/{id}", "/people/ada", {"id": "ada"}),
        ("people/{id}", "/people", None),
        ("people/{id}", "/people/a%20b", {"id": "a b"}),
        ("people/{id}", "/people/a%2Fb", {"id": "a%2Fb"}),
        ("people/{id:guid}", f"/people/{GUID}", {"id": GUID}),
        ("people/{id:guid}", "/people/5", None),
        ("people/{id:int}", "/people/-5", {"id": "-5"}),
        ("people/{id:alpha:maxlength(3)}", "/people/ada", {"id": "ada"}),
        ("people/{id:alpha:maxlength(3)}", "/people/adam", None),
        ("people/{id:length(2,3)}", "/people/a", None),
        ("people/{id?}", "/people", {}),
        ("people/{id?}", "/people/ada", {"id": "ada"}),
        ("people/{id=bo}", "/people", {"id": "bo"}),
        ("files/{*rest}", "/files", {}),
        ("files/{*rest}", "/files/a/b.txt", {"rest": "a/b.txt"}),
        ("files/{name}.{kind}", "/files/card.json", {"name": "card", "kind": "json"}),
        ("files/{name}.{kind}", "/files/card", None),
        ("a+b", "/a+b", {}),
        ("a+b", "/aab", None),
    ],
)
def test_a_path_matches_a_template_and_fills_its_parameters(
    template: str, path: str, expected: dict[str, str] | None
) -> None:
    assert Route.parse(template).match(path) == expected


def test_the_most_literal_template_is_tried_first() -> None:
    templates = ["{*rest}", "people/{id}", "people/me", "people/{id:int}", "people/{id}/roles"]

    ordered = sorted(map(Route.parse, templates), key=lambda route: route.precedence)

    assert [route.template for route in ordered] == [
        "people/me",
        "people/{id:int}",
        "people/{id}",
        "people/{id}/roles",
        "{*rest}",
    ]


@pytest.mark.parametrize("template", ["people/{id:colour}", "people/{id", "people/id}"])
def test_a_template_that_can_not_be_read_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="route"):
        Route.parse(template)
