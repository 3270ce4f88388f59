"""The one process manager of the local tenant: storage, broker, directory, mailbox and hosts, up and down together.

``python -m local.tenant up`` for people, ``async with Tenant(...)`` for programs.

Reading path: ``__main__`` (the command) -> ``tenant`` (start order, deaths, stop order) -> ``parts`` (what there is)
-> ``child`` (one process).
"""

from local.tenant.parts import Part
from local.tenant.ports import Ports
from local.tenant.problems import PartDied, TenantProblem
from local.tenant.tenant import Tenant

__all__ = ["Part", "PartDied", "Ports", "Tenant", "TenantProblem"]
