"""Give back, cancel, extend: which activation does somebody mean, is it theirs, and can it happen now? Pure.

Whether an extension may be given is policy.py's to say; here it is only what there is to extend.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from access.errors import Code
from access.events import Event
from access.lifecycle import Work, asks_for, may
from access.model import Account, Action, Activation, Door, Person, RoleSettings, Unmet

EVENT_OF = {
    Action.DEACTIVATE: Event.DEACTIVATED,
    Action.CANCEL: Event.CANCELED,
    Action.EXTEND: Event.EXTENDED,
}
"""What each command does to the activation that it names."""

_NOTHING = {
    Action.DEACTIVATE: (Code.NOTHING_TO_END, "There is nothing to give back"),
    Action.CANCEL: (Code.NOTHING_TO_CANCEL, "There is nothing to cancel"),
    Action.EXTEND: (Code.NOTHING_TO_EXTEND, "There is nothing to extend"),
}


def takes(activation: Activation, action: Action, *, now: datetime) -> bool:
    """Whether the command can happen to this activation. What is over can be given back still, and not be extended."""
    if not may(activation.state, EVENT_OF[action]):
        return False
    return action is not Action.EXTEND or (activation.ends_at is not None and now < activation.ends_at)


def choose(action: Action, found: Sequence[Activation], *, now: datetime) -> Activation | Unmet:
    """Return the one activation that the command can happen to, or why there is none."""
    fitting = [activation for activation in found if takes(activation, action, now=now)]
    if action is Action.DEACTIVATE:  # what was given on top of one ends with it
        ids = {activation.id for activation in fitting}
        fitting = [activation for activation in fitting if activation.extends not in ids]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        listed = ", ".join(activation.id for activation in fitting)
        return Unmet(
            Code.ACTIVATION_AMBIGUOUS,
            f"{len(fitting)} activations of this role could be meant.",
            f"Name one of them by its id, in the field activation: {listed}.",
        )
    return _nothing(action, found)


def _nothing(action: Action, found: Sequence[Activation]) -> Unmet:
    """Say what there is instead, where another command is meant."""
    code, what = _NOTHING[action]
    work = {asks_for(activation.state) for activation in found}
    if action is Action.DEACTIVATE and work & {Work.DECISION, Work.START}:
        return Unmet(code, f"{what}: it has not been given yet.", "Send cancel to take the request back.")
    if action is Action.CANCEL and Work.END in work:
        return Unmet(code, f"{what}: it is active already.", "Send deactivate to give it back.")
    if action is Action.EXTEND and work & {Work.DECISION, Work.START, Work.GIVING}:
        return Unmet(code, f"{what}: it is not active yet.", "Ask for more time once it is active.")
    if Work.REMOVAL in work:
        return Unmet(code, f"{what}: it is ending already.", "Wait for the mail that says it has ended.")
    if not found:
        remedy = "Check the role's key, and the account if you named one; or send the id that our mails name."
        return Unmet(code, f"{what}: nothing of this role was found.", remedy)
    remedy = "Ask for the role anew." if action is Action.EXTEND else "Nothing is left for you to do."
    return Unmet(code, f"{what}: it is over.", remedy)


def not_theirs(activation: Activation, person: Person) -> Iterator[Unmet]:
    """Say no to whoever is another person than the one who asked or receives. Persons are compared, not accounts (law 6)."""
    if not person.ids & {activation.requester, activation.principal}:
        yield Unmet(
            Code.ACTIVATION_NOT_YOURS,
            "This activation is somebody else's.",
            "Name one of your own; accounts are linked by their employee id, or in the roles file.",
        )


def not_own_account(principal: Account, person: Person) -> Iterator[Unmet]:
    """Say no to whoever names the account of another person."""
    if principal.id not in person.ids:
        yield Unmet(
            Code.NOT_SAME_PERSON,
            f"{principal.name} is not an account of yours.",
            "Name an account of your own; accounts are linked by their employee id, or in the roles file.",
        )


def not_through(activation: Activation, door: Door, settings: RoleSettings | None) -> Iterator[Unmet]:
    """Say no to a flow that would end what somebody who was signed in has asked for, unless the role accepts flows."""
    proven_before = activation.door is Door.SIGNED_IN and door is not Door.SIGNED_IN
    if proven_before and (settings is None or door not in settings.accepts):
        yield Unmet(
            Code.DOOR_NOT_ACCEPTED,
            f"It was asked for signed in; a message through {door} doesn't prove that you are the same person.",
            f"Ask through: {Door.SIGNED_IN}.",
        )
