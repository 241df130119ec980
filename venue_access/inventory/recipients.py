"""Reads a venue's ``users:``, and finds the recipient that somebody asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from venue_access.errors import UsageError
from venue_access.inventory import validators as checks
from venue_access.inventory.group_builder import kind
from venue_access.inventory.model import Recipient, Venue
from venue_access.inventory.suggestions import did_you_mean, misspelt

KEYS = ("email", "keys", "timezone", "venues")
_KEY_TEXTS = ("age1", "ssh-ed25519 ", "ssh-rsa ", "-----BEGIN CERTIFICATE-----")
_KEY_FILES = (".pub", ".txt", ".pem", ".crt", ".cer", ".der")


def read_users(hosts: Collection[str]) -> Callable[[Any], dict[str, Recipient]]:
    """A check of ``users:``, a mapping of names to nothing or to the ``KEYS``, ``venues`` of ``hosts``."""

    def checked(value: Any) -> dict[str, Recipient]:
        if not isinstance(value, dict):
            raise checks.InvalidValue(f"expected a mapping of names, found {kind(value)}")
        users: dict[str, Recipient] = {}
        names: dict[str, str] = {}
        emails: dict[str, str] = {}
        for name, about in value.items():
            user = _recipient(checks.recipient_name(name), about, hosts)
            other = names.setdefault(user.name.casefold(), user.name)
            if other != user.name:
                raise checks.InvalidValue(f"{other!r} and {user.name!r} differ only in case")
            if user.email:
                other = user.email if user.email in users else emails.setdefault(user.email.casefold(), user.name)
                if other != user.name:
                    raise checks.InvalidValue(f"{other!r} and {user.name!r} have the same email")
            users[user.name] = user
        return users

    return checked


def is_called(recipient: Recipient, name: str) -> bool:
    """Whether ``name`` is the recipient's name, or their email in any case."""
    return recipient.name == name or (recipient.email is not None and recipient.email.casefold() == name.casefold())


def may_use(recipient: Recipient, venue: Venue) -> bool:
    """Whether a recipient listed for ``venue`` gets its tokens."""
    return recipient.venues is None or venue.name in recipient.venues


def similar_user(venue: Venue, user: str, others: Iterable[str] = ()) -> str | None:
    """Return the name of whom an unknown ``user``, a name or an email, is one slip away from; None where there is none.

    :param others: names that are known beside those of the venue's users.
    """
    if any(is_called(recipient, user) for recipient in venue.users.values()):
        return None
    known = {name: name for name in [*venue.users, *others]}
    known |= {recipient.email: recipient.name for recipient in venue.users.values() if recipient.email is not None}
    meant = misspelt(user, tuple(known))
    return None if meant is None else known[meant]


def find_recipient(venue: Venue, user: str, *, accept_similar: bool = False) -> Recipient:
    """The recipient of a venue by name or email; anybody where the venue does not keep to its ``users_only``.

    :param accept_similar: take a name that is one slip away from a listed user's as it is.
    :raises UsageError: nobody the venue gives tokens to, a probable slip, or no name that AWS takes.
    """
    for recipient in venue.users.values():
        if is_called(recipient, user):
            if not may_use(recipient, venue):
                raise UsageError(
                    f"{recipient.name} does not get tokens for {venue.name}",
                    hint=f"the inventory lists: {', '.join(recipient.venues or ()) or 'no venue'}",
                )
            return recipient
    names = [name for name, recipient in venue.users.items() if "@" not in name and may_use(recipient, venue)]
    if venue.users_only:
        raise UsageError(
            f"{venue.name} gives tokens only to its users, and {user!r} is none of them{did_you_mean(user, names)}",
            hint="add them to 'users:' in the inventory, or ask the venue's administrator to",
        )
    for name in names:
        if name.casefold() == user.casefold():
            raise UsageError(f"{user!r} is no user of {venue.name}; did you mean {name!r}?")
    try:
        found = Recipient(checks.recipient_name(user))
    except checks.InvalidValue as unfit:
        hint = "it becomes the beginning of the role session name, and the name of a file"
        raise UsageError(f"the user name {unfit}", hint=hint) from unfit
    meant = None if accept_similar else similar_user(venue, user)
    if meant is not None:
        raise unknown_user(venue, user, meant)
    return found


def unknown_user(venue: Venue, user: str, meant: str) -> UsageError:
    """Return the error for a user who is unknown, and probably a slip of ``meant``."""
    return UsageError(
        f"{venue.name}: unknown user {user!r} (did you mean {meant!r}?)",
        hint=f"if {user!r} is the right name, pass --yes",
    )


def names_called(venues: Iterable[Venue], user: str) -> set[str]:
    """The names that ``user``, a name or an email, may have stood for: its own, and those of the venues' users."""
    return {user} | {
        recipient.name for venue in venues for recipient in venue.users.values() if is_called(recipient, user)
    }


def name_of(venue: Venue, user: str) -> str:
    """The name of a recipient by name or email, whether or not the venue gives them tokens still.

    :raises UsageError: no name that AWS takes.
    """
    for recipient in venue.users.values():
        if is_called(recipient, user):
            return recipient.name
    try:
        return checks.session_name(user)  # tokens may have been issued under a name that is refused now
    except checks.InvalidValue as unfit:
        raise UsageError(f"the user name {unfit}", hint="give the name or email that the inventory has") from unfit


def _recipient(name: str, about: Any, hosts: Collection[str]) -> Recipient:
    if about is None:
        return Recipient(name)
    if not isinstance(about, dict):
        raise checks.InvalidValue(f"{name}: expected a mapping with {', '.join(KEYS)}, found {kind(about)}")
    for key in about:
        if key not in KEYS:
            raise checks.InvalidValue(
                f"{name}: has no key {key!r}{did_you_mean(str(key), KEYS)} (it has {', '.join(KEYS)})"
            )
    try:
        email = None if about.get("email") is None else checks.email(about["email"])
        keys = () if about.get("keys") is None else checks.several(_public_key)(about["keys"])
        timezone = None if about.get("timezone") is None else checks.timezone(about["timezone"])
        venues = None if about.get("venues") is None else checks.several(checks.text)(about["venues"])
    except checks.InvalidValue as unfit:
        raise checks.InvalidValue(f"{name}: {unfit}") from unfit
    for venue in venues or ():
        if venue not in hosts:
            raise checks.InvalidValue(f"{name}: no venue is named {venue!r}{did_you_mean(venue, hosts)}")
    return Recipient(name, email, keys, venues, timezone)


def holds_private_key(text: str) -> bool:
    """Whether there is a private key in a text: PEM, OpenSSH's or age's."""
    return "PRIVATE KEY" in text or "AGE-SECRET-KEY-" in text.upper()


def _public_key(value: Any) -> str:
    """A key's text, perhaps of several lines (PEM), or a file's name; never a private one, which no message repeats.

    Whether it can be encrypted to is seen when something is.
    """
    if not isinstance(value, str) or not value.strip():
        raise checks.InvalidValue(f"keys: expected texts, found {kind(value)}")
    if holds_private_key(value):
        raise checks.InvalidValue("keys: holds a private key; write the public one, and replace that pair")
    key = value.strip()
    if not key.startswith(_KEY_TEXTS) and ("\n" in key or not key.casefold().endswith(_KEY_FILES)):
        raise checks.InvalidValue(
            f"keys: {key[:24]!r} is none that can be encrypted to: age1..., ssh-ed25519, ssh-rsa, a certificate as PEM,"
            f" or a file of one ({', '.join(_KEY_FILES)})"
        )
    return key
