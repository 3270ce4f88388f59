"""A function app with a blueprint that was never registered: Azure finds nothing in it, and says nothing."""

import azure.functions as func

app = func.FunctionApp()
blueprint = func.Blueprint()


@blueprint.route(route="x")
async def forgotten(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never")
