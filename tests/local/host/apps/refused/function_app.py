"""A function app that Azure refuses: a parameter that no binding fills."""

import azure.functions as func

app = func.FunctionApp()


@app.route(route="x")
async def refused(req: func.HttpRequest, clock: object = None) -> func.HttpResponse:
    return func.HttpResponse("never")
