"""The directory itself: objects, look-ups, memberships. It obeys; who may do what is the Graph layer's business."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from local.directory.mail import PostOffice
from local.directory.model import Clock, DirectoryObject, Group, Relation, User, system_clock
from local.directory.records import Records
from local.directory.relations import Relations
from local.directory.tenant import Tenant


class Directory:
    """Users, groups and who is in what, kept in records that survive the process."""

    def __init__(self, tenant: Tenant, *, records: Records | None = None, clock: Clock = system_clock) -> None:
        """Open the directory: with what the records hold, or, when they are new, with the seed."""
        self.tenant = tenant
        self.clock = clock
        self.records = records or Records()
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.mail = PostOffice(self.records, clock)
        self._relations = Relations(clock)
        if self.records.all("seeded").get("tenant") == tenant.id:
            self._load()
        else:
            self.reset()

    def reset(self) -> None:
        """Go back to the seed: every later change, and every mail, is gone."""
        with self.records.together():
            self.records.clear("user", "group", "relation", "mail")
            for thing in (*self.tenant.users, *self.tenant.groups):
                self.records.put(thing.kind, thing.id, thing.properties)
            for group_id, relation, object_id in self.tenant.relations:
                self._remember(group_id, relation, object_id)
            self.records.put("seeded", "tenant", self.tenant.id)
        self._load()
        self.mail.reload()

    def put(self, thing: User | Group) -> None:
        """Insert or replace a user or a group."""
        self.records.put(thing.kind, thing.id, thing.properties)
        if isinstance(thing, User):
            self.users[thing.id] = thing
        else:
            self.groups[thing.id] = thing

    def delete(self, object_id: str) -> bool:
        """Delete a user or a group, and every relation it stood in; tell whether there was one."""
        thing = self.find_object(object_id)
        if thing is None:
            return False
        with self.records.together():
            self.records.delete(thing.kind, thing.id)
            for relation in list(self._relations.touching(thing.id)):
                self.unrelate(*relation)
        self.users.pop(thing.id, None)
        self.groups.pop(thing.id, None)
        return True

    def find_object(self, object_id: str) -> User | Group | None:
        """Return the user or group with this object id."""
        key = object_id.lower()
        return self.users.get(key) or self.groups.get(key)

    def find_user(self, key: str) -> User | None:
        """Return the user with this object id or user principal name."""
        wanted = key.lower()
        return self.users.get(wanted) or next(
            (user for user in self.users.values() if user.user_principal_name.lower() == wanted), None
        )

    def find_mailbox(self, key: str) -> User | None:
        """Return the user that a mailbox belongs to, by id, user principal name or any of its addresses."""
        return self.find_user(key) or next(
            (user for user in self.users.values() if key.lower() in user.addresses), None
        )

    def addresses_of(self, address: str) -> frozenset[str]:
        """Return every address of the mailbox that receives at this one."""
        owner = next((user for user in self.users.values() if address.lower() in user.addresses), None)
        return owner.addresses if owner else frozenset({address.lower()})

    def relate(self, group_id: str, relation: Relation, object_id: str) -> None:
        """Make an object a member or an owner; already being one is no error."""
        self._remember(group_id, relation, object_id)
        self._relations.add(group_id, relation, object_id)

    def unrelate(self, group_id: str, relation: Relation, object_id: str) -> None:
        """End a membership or an ownership; not having one is no error."""
        self.records.delete("relation", f"{group_id}/{relation}/{object_id}")
        self._relations.remove(group_id, relation, object_id)

    def related(self, group_id: str, relation: Relation, at: datetime | None = None) -> frozenset[str]:
        """Return the object ids of a group's direct members or owners, now or at an instant of the recent past."""
        return self._relations.of(group_id, relation, at)

    def transitive_members(self, group_id: str, at: datetime | None = None) -> frozenset[str]:
        """Return the object ids of everything in a group, directly or through groups in it."""
        found: set[str] = set()
        open_groups = [group_id]
        while open_groups:
            for member in self.related(open_groups.pop(), Relation.MEMBERS, at) - found:
                found.add(member)
                if member in self.groups:
                    open_groups.append(member)
        return frozenset(found)

    def objects(self, object_ids: frozenset[str]) -> list[DirectoryObject]:
        """Return the objects that still exist of these, in the order of their ids."""
        return list(self._existing(object_ids))

    def _existing(self, object_ids: frozenset[str]) -> Iterator[DirectoryObject]:
        for object_id in sorted(object_ids):
            if (thing := self.find_object(object_id)) is not None:
                yield thing

    def _remember(self, group_id: str, relation: Relation, object_id: str) -> None:
        self.records.put("relation", f"{group_id}/{relation}/{object_id}", [group_id, relation, object_id])

    def _load(self) -> None:
        stored: dict[str, Any] = self.records.all("user")
        self.users = {key: User.from_json(raw) for key, raw in stored.items()}
        self.groups = {key: Group.from_json(raw) for key, raw in self.records.all("group").items()}
        self._relations = Relations(self.clock)
        for group_id, relation, object_id in self.records.all("relation").values():
            self._relations.load(group_id, Relation(relation), object_id)
