"""The recipients of tokens: read ``users:``, and find the recipient that a request names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from venue_access.errors import UsageError
from venue_access.inventory import validators
from venue_access.inventory.suggestions import did_you_mean, misspelt
from venue_access.inventory.validators import Context, InvalidValue
from venue_access.inventory.value_types import EMAIL, Type, list_of, or_null, read_mapping
from venue_access.inventory.values import kind, line_of

if TYPE_CHECKING:
    from venue_access.inventory.model import Venue

_KEY_TEXTS = ("age1", "ssh-ed25519 ", "ssh-rsa ", "-----BEGIN CERTIFICATE-----")
_KEY_FILES = (".pub", ".txt", ".pem", ".crt", ".cer", ".der")
_PRIVATE_KEY_FILES = ("id_rsa", "id_ed25519", "id_ecdsa", "id_dsa")


@dataclass(frozen=True)
class Recipient:
    """A person or program that receives tokens and has no AWS account."""

    name: str
    email: str | None = None
    keys: tuple[str, ...] = ()
    """Public keys that a token may be encrypted to, or the names of files with them, relative to the inventory."""
    venues: tuple[str, ...] | None = None
    """Inventory names of the venues they may use; None is every venue that lists them."""
    timezone: str | None = None
    """Of the IANA database, such as ``America/Los_Angeles``."""


def _public_key(value: Any) -> str:
    """Check a key's text, perhaps of several lines (PEM), or a file's name.

    Whether it can be encrypted to, ``inventory.check`` finds out.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue(f"expected strings, found {kind(value)}")
    key = value.strip()
    if key.rpartition("/")[2] in _PRIVATE_KEY_FILES:
        raise InvalidValue(f"{key!r} is the name of a private key; give the public one, {key + '.pub'!r}")
    if not key.startswith(_KEY_TEXTS) and ("\n" in key or not key.casefold().endswith(_KEY_FILES)):
        raise InvalidValue(
            f"{key[:24]!r} cannot be encrypted to; give age1..., ssh-ed25519, ssh-rsa, a certificate as PEM,"
            f" or a file of one ({', '.join(_KEY_FILES)})"
        )
    return key


def _venue_name(value: Any, context: Context) -> str:
    name = validators.text(value)
    if name not in context.hosts:
        raise InvalidValue(f"no venue is named {name!r}{did_you_mean(name, context.hosts)}")
    return name


_STRING = {"type": "string", "minLength": 1}
_KEYS: dict[str, Type[Any]] = {
    "email": EMAIL,
    "keys": list_of(Type("key", _STRING, _public_key), "list of keys"),
    "timezone": Type("time zone", _STRING, validators.timezone),
    "venues": list_of(Type("venue", _STRING, _venue_name, contextual=True), "list of venues"),
}


def _users(value: Any, context: Context) -> dict[str, Recipient]:
    """Read ``users``, a mapping of names to null or a mapping."""
    if not isinstance(value, dict):
        raise InvalidValue(f"expected a mapping of names, found {kind(value)}")
    users: dict[str, Recipient] = {}
    names: dict[str, str] = {}
    emails: dict[str, str] = {}
    reasons: list[InvalidValue] = []
    for name, about in value.items():
        line = line_of(value, name)
        try:
            user = Recipient(validators.recipient_name(name))
        except InvalidValue as error:
            reasons.append(InvalidValue(str(error), line))
            continue
        try:
            user = Recipient(user.name, **read_mapping(about or {}, _KEYS, "{email: <address>}", context))
        except InvalidValue as error:
            reasons += error.within(name, line)
        other = names.setdefault(user.name.casefold(), user.name)
        if other != user.name:
            reasons.append(InvalidValue(f"{other!r} and {user.name!r} differ only in case", line))
        if user.email:
            other = user.email if user.email in users else emails.setdefault(user.email.casefold(), user.name)
            if other != user.name:
                reasons.append(InvalidValue(f"{other!r} and {user.name!r} have the same email", line))
        users[user.name] = user
    if reasons:
        raise InvalidValue.of(reasons)
    return users


USERS = Type(
    "mapping of names",
    {
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{validators.recipient_name.pattern})$"},
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": {key: or_null(each.schema) for key, each in _KEYS.items()},
            "additionalProperties": False,
        },
    },
    _users,
    contextual=True,
)


def is_called(recipient: Recipient, name: str) -> bool:
    """Return whether ``name`` is the recipient's name, or their email in any case."""
    return recipient.name == name or (recipient.email is not None and recipient.email.casefold() == name.casefold())


def may_use(recipient: Recipient, venue: Venue) -> bool:
    """Return whether a recipient that ``venue`` lists gets its tokens."""
    return recipient.venues is None or venue.name in recipient.venues


def similar_user(venue: Venue, user: str, others: Iterable[str] = ()) -> str | None:
    """Return the name of the user that an unknown name or email misspells, or None.

    :param others: names that are known besides those of the venue's users.
    """
    if any(is_called(recipient, user) for recipient in venue.users.values()):
        return None
    known = {name: name for name in [*venue.users, *others]}
    known |= {recipient.email: recipient.name for recipient in venue.users.values() if recipient.email is not None}
    meant = misspelt(user, tuple(known))
    return None if meant is None else known[meant]


def find_recipient(venue: Venue, user: str, *, accept_similar: bool = False) -> Recipient:
    """Return the recipient of a venue by name or email; one that is not listed is new, unless ``users_only``.

    :param accept_similar: accept a new name although it is similar to a listed one.
    :raises UsageError: the venue does not serve this user, the name is probably misspelt, or AWS does not take it.
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
            f"{venue.name} gives tokens only to its users, and {user!r} is not one of them{did_you_mean(user, names)}",
            hint="add them to 'users:' in the inventory, or ask the venue's administrator to",
        )
    for name in names:
        if name.casefold() == user.casefold():
            raise UsageError(f"{user!r} is not a user of {venue.name}; did you mean {name!r}?")
    try:
        found = Recipient(validators.recipient_name(user))
    except InvalidValue as error:
        hint = "it becomes the beginning of the role session name, and the name of a file"
        raise UsageError(f"the user name {error}", hint=hint) from error
    meant = None if accept_similar else similar_user(venue, user)
    if meant is not None:
        raise unknown_user(venue, user, meant)
    return found


def unknown_user(venue: Venue, user: str, meant: str) -> UsageError:
    """Return the error for an unknown user whose name probably misspells ``meant``."""
    return UsageError(
        f"{venue.name}: unknown user {user!r} (did you mean {meant!r}?)",
        hint=f"if {user!r} is the right name, pass --yes",
    )


def names_called(venues: Iterable[Venue], user: str) -> set[str]:
    """Return the names that ``user``, a name or an email, may refer to: itself, and those of the venues' users."""
    return {user} | {
        recipient.name for venue in venues for recipient in venue.users.values() if is_called(recipient, user)
    }


def name_of(venue: Venue, user: str) -> str:
    """Return the name of a recipient by name or email, whether or not the venue still serves them.

    :raises UsageError: AWS does not take the name.
    """
    for recipient in venue.users.values():
        if is_called(recipient, user):
            return recipient.name
    try:
        return validators.session_name(user)  # tokens may have been issued under a name that is refused now
    except InvalidValue as error:
        raise UsageError(f"the user name {error}", hint="give the name or email that the inventory has") from error
