"""A reader's own poster images: web addresses or files, asked for by item id."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

# The first bytes of the formats that every browser shows.
_FORMATS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
LARGEST_FILE = 500_000  # bytes; a row of ten films stays below 7 MB of page


def checked_images(
    films: pd.DataFrame, images: Mapping[Any, str | Path] | pd.Series[Any] | None
) -> list[str]:
    """The image of each film, or an empty text.

    Parameters
    ----------
    films : DataFrame
        With ``item_id`` if there are images.
    images : mapping or Series of item id to str or Path, optional

    Returns
    -------
    list of str
        One for each row.

    Raises
    ------
    ValueError
        If ``films`` has no ``item_id``, an id stands twice in a Series, or an image is neither a
        web address (http or https) nor a file.

    Examples
    --------
    >>> films = pd.DataFrame({"item_id": [7, 8]})
    >>> checked_images(films, {8: "https://example.org/8.jpg"})
    ['', 'https://example.org/8.jpg']
    """
    if images is None:
        return [""] * len(films)
    if "item_id" not in films.columns:
        raise ValueError(f"images are matched by item_id, got columns {list(films.columns)[:3]}")
    table = images if isinstance(images, pd.Series) else pd.Series(dict(images), dtype=object)
    if table.index.duplicated().any():
        twice = table.index[table.index.duplicated()][0]
        raise ValueError(f"item {twice} stands twice in images: keep one row an item")
    found = films["item_id"].map(table)
    return ["" if pd.isna(image) else _checked(image) for image in found]


def image_source(image: str) -> str:
    """What the page says of an image: its address, or its content.

    Parameters
    ----------
    image : str
        A web address, or the path of an image file.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a file holds no PNG, JPEG, GIF or WebP, or is larger than 500,000 bytes.
    """
    if _is_address(image):
        return image
    content = Path(image).read_bytes()
    if len(content) > LARGEST_FILE:
        raise ValueError(f"{image} has {len(content):,} bytes: at most {LARGEST_FILE:,} are shown")
    kind = next((name for start, name in _FORMATS.items() if content.startswith(start)), None)
    if kind is None:
        raise ValueError(f"{image} is no PNG, JPEG, GIF or WebP")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _checked(image: Any) -> str:
    text = str(image)
    if not _is_address(text) and not Path(text).is_file():
        raise ValueError(f"an image is a web address or a file that exists, got {text[:80]!r}")
    return text


def _is_address(text: str) -> bool:
    return urlsplit(text).scheme in ("http", "https")
