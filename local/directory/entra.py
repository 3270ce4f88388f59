"""The local Microsoft Entra: discovery, keys, client credentials, and the App Service managed identity endpoint."""

import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.directory.directory import Directory
from local.directory.tokens import LIFETIME, TokenOffice

IDENTITY_HEADER = "local"


class Entra:
    """The endpoints of the identity platform for one tenant."""

    def __init__(self, directory: Directory, tokens: TokenOffice) -> None:
        self._tenant = directory.tenant
        self._tokens = tokens

    def routes(self) -> list[Route]:
        """Return what to serve."""
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self.discover),
            Route("/{tenant}/discovery/v2.0/keys", self.publish_keys),
            Route("/{tenant}/oauth2/v2.0/token", self.issue_to_client, methods=["POST"]),
            Route("/msi/token", self.issue_to_managed_identity),
        ]

    async def discover(self, request: Request) -> Response:
        """Say where the keys and the token endpoint are."""
        if not self._knows(request):
            return self._no_such_tenant(request)
        base = f"{self._tokens.authority}/{self._tenant.id}"
        return JSONResponse(
            {
                "issuer": self._tokens.issuer,
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        )

    async def publish_keys(self, request: Request) -> Response:
        """Publish the signing keys."""
        return JSONResponse(self._tokens.keys.to_jwks()) if self._knows(request) else self._no_such_tenant(request)

    async def issue_to_client(self, request: Request) -> Response:
        """Give a token to a client that has a secret: any secret."""
        if not self._knows(request):
            return self._no_such_tenant(request)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return _refusal("unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
        if not form.get("client_id"):
            return _refusal(
                "invalid_request",
                "AADSTS900144: The request body must contain the following parameter: 'client_id'.",
            )
        if not form.get("client_secret"):
            return _refusal(
                "invalid_client",
                "AADSTS7000218: The request body must contain the following parameter: "
                "'client_assertion' or 'client_secret'.",
                status=401,
            )
        audience, slash, rest = form.get("scope", "").rpartition("/")
        if not slash or rest != ".default":
            return _refusal(
                "invalid_scope",
                f"AADSTS1002012: The provided value for scope {form.get('scope', '')} is not valid. Client credential "
                "flows must have a scope value with /.default suffixed to the resource identifier.",
            )
        token = self._tokens.for_app(audience, form["client_id"])
        lifetime = {"expires_in": LIFETIME, "ext_expires_in": LIFETIME}
        return JSONResponse({"token_type": "Bearer", **lifetime, "access_token": token})

    async def issue_to_managed_identity(self, request: Request) -> Response:
        """Give a token to the app's own identity, as App Service does."""
        if request.headers.get("x-identity-header") != IDENTITY_HEADER:
            return JSONResponse({"statusCode": 401, "message": "The X-IDENTITY-HEADER is not the right one."}, 401)
        resource = request.query_params.get("resource")
        if request.query_params.get("api-version") != "2019-08-01" or not resource:
            return JSONResponse({"statusCode": 400, "message": "Needs api-version=2019-08-01 and resource."}, 400)
        client_id = request.query_params.get("client_id") or self._tenant.app_client_id
        return JSONResponse(
            {
                "access_token": self._tokens.for_app(resource, client_id),
                "expires_on": str(int(time.time()) + LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": client_id,
            }
        )

    def _knows(self, request: Request) -> bool:
        return str(request.path_params["tenant"]).lower() in (self._tenant.id, self._tenant.domain.lower())

    def _no_such_tenant(self, request: Request) -> Response:
        asked = request.path_params["tenant"]
        return _refusal("invalid_tenant", f"AADSTS90002: Tenant '{asked}' not found. Check the tenant ID.")


def _refusal(error: str, description: str, *, status: int = 400) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)
