"""Why a file of ratings is refused, in words that say what to do."""

from collections.abc import Sequence


class InvalidRatingsError(ValueError):
    """Ratings that cannot be used, with the row and the column that stand in the way."""


class AmbiguousRatingsError(InvalidRatingsError):
    """Ratings that can be read in two ways: the message shows both, and the argument for each."""


class NotUtf8Error(InvalidRatingsError):
    """Bytes that are no UTF-8, although no other encoding was named."""


def printable(text: str) -> str:
    """Text without control characters, which a file may bring; line breaks stay.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def some(names: Sequence[str]) -> str:
    """The first three of several names.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str

    Examples
    --------
    >>> some(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    shown = ", ".join(name[:40] for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def shown_value(value: object) -> str:
    """A value as a message shows it, at most forty characters long.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Examples
    --------
    >>> shown_value("3,5"), shown_value(2.5)
    ("'3,5'", '2.5')
    """
    return (repr(value) if isinstance(value, str) else str(value))[:40]


def counted(number: int, what: str) -> str:
    """A number with its noun.

    Parameters
    ----------
    number : int
    what : str
        The noun for one.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "user"), counted(1200, "row")
    ('1 user', '1,200 rows')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
