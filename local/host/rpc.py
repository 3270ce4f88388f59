"""Stand-ins for the gRPC messages between host and worker: only what the worker library reads and makes.

The library takes the module of message classes as an argument (``protos``), so plain classes do. A field that was never
set reads as ``None``, which is as false as an unset protobuf field.
"""

from types import SimpleNamespace
from typing import Any, ClassVar


class Message:
    """One message: the fields it was made with; any other field reads ``None``."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        # Upper-case names are nested classes: the library asks for one to find out what it was given.
        if name.startswith("_") or name[0].isupper():
            raise AttributeError(name)
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__dict__})"


class TypedData(Message):
    """A value with its kind: ``TypedData(string="x")``, ``bytes=``, ``json=``, ``http=``, ``collection_bytes=`` ..."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's own name
        """Return the kind of the value, ``None`` for no value."""
        return next(iter(self.__dict__), None)


class ParameterBinding(Message):
    """The value of one parameter of a function."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's own name
        """Return where the value is: always in ``data``, never in shared memory."""
        return "data"


class StatusResult(Message):
    """Whether a request to the worker went well."""

    Failure: ClassVar = 0
    Success: ClassVar = 1
    Cancelled: ClassVar = 2


class BindingInfo(Message):
    """Direction and data type of a binding."""

    inout: ClassVar = 2
    out: ClassVar = 1
    undefined: ClassVar = 0
    string: ClassVar = 1
    binary: ClassVar = 2
    stream: ClassVar = 3


# Keywords of Python, and names in the protocol.
setattr(BindingInfo, "in", 0)


class SameSite:
    """Values of a cookie's SameSite attribute, as the library names them."""

    Lax: ClassVar = "Lax"
    Strict: ClassVar = "Strict"
    ExplicitNone: ClassVar = "None"


setattr(SameSite, "None", "")


class RpcHttpCookie(Message):
    """One cookie of an HTTP response."""

    SameSite: ClassVar = SameSite


class Timestamp(Message):
    """Seconds since 1970."""


_PLAIN = (
    "CollectionBytes",
    "CollectionString",
    "FunctionEnvironmentReloadResponse",
    "FunctionLoadResponse",
    "FunctionMetadataResponse",
    "InvocationResponse",
    "NullableBool",
    "NullableDouble",
    "NullableString",
    "NullableTimestamp",
    "RpcException",
    "RpcFunctionMetadata",
    "RpcHttp",
    "RpcRetryOptions",
    "WorkerInitResponse",
    "WorkerMetadata",
)

PROTOS = SimpleNamespace(
    **{name: type(name, (Message,), {}) for name in _PLAIN},
    BindingInfo=BindingInfo,
    ParameterBinding=ParameterBinding,
    RpcHttpCookie=RpcHttpCookie,
    StatusResult=StatusResult,
    Timestamp=Timestamp,
    TypedData=TypedData,
)


def request(**fields: Any) -> SimpleNamespace:
    """Return a request to the worker library, with its one filled field."""
    return SimpleNamespace(request=Message(**fields), properties={"host": "127.0.0.1", "protos": PROTOS})
