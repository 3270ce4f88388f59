"""Hosts and authorities of each cloud, in one table."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Where a cloud's services are."""

    authority: str
    graph: str
    manager: str
    storage: str


CLOUDS = MappingProxyType(
    {
        "public": Cloud(
            authority="https://login.microsoftonline.com",
            graph="https://graph.microsoft.com",
            manager="https://management.azure.com",
            storage="core.windows.net",
        ),
        "usgov": Cloud(
            authority="https://login.microsoftonline.us",
            graph="https://graph.microsoft.us",
            manager="https://management.usgovcloudapi.net",
            storage="core.usgovcloudapi.net",
        ),
        "usgov-dod": Cloud(
            authority="https://login.microsoftonline.us",
            graph="https://dod-graph.microsoft.us",
            manager="https://management.usgovcloudapi.net",
            storage="core.usgovcloudapi.net",
        ),
        "china": Cloud(
            authority="https://login.partner.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
            manager="https://management.chinacloudapi.cn",
            storage="core.chinacloudapi.cn",
        ),
    }
)
