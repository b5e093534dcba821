"""Any source as an open one: which reader it needs is seen from its content, not its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbhelpers.data.ratings_file.choices import Choices
from nbhelpers.data.ratings_file.data_tables import (
    ArrowStream,
    open_arrow,
    open_excel,
    open_feather,
    open_frame,
    open_parquet,
)
from nbhelpers.data.ratings_file.databases import open_duckdb, open_sqlite
from nbhelpers.data.ratings_file.delimited import open_delimited
from nbhelpers.data.ratings_file.dialect import decoded
from nbhelpers.data.ratings_file.formats import FileBytes, file_bytes
from nbhelpers.data.ratings_file.json_tables import is_json, open_json
from nbhelpers.data.ratings_file.opened import Opened
from nbhelpers.data.ratings_file.other_text import layout_of, open_blocks, open_lists
from nbhelpers.data.ratings_file.refusals import InvalidRatingsError
from nbhelpers.data.ratings_file.utf8_stream import first_text
from nbhelpers.data.ratings_file.wide import is_wide, open_wide

# Of a path, a pandas frame, or a table of Polars, DuckDB or pyarrow.
Source = str | Path | pd.DataFrame | ArrowStream


def source_name(source: Any) -> str:
    """What a message calls a source: a file by its name, a table by its kind.

    Parameters
    ----------
    source : path or table

    Returns
    -------
    str
    """
    return Path(source).name if isinstance(source, str | Path) else type(source).__name__


def open_source(source: Source, choices: Choices) -> Opened:
    """A path or a table as an open source, a wide matrix as rows of user and item.

    Parameters
    ----------
    source : path, DataFrame or table that can hand itself over as Arrow
    choices : Choices

    Returns
    -------
    Opened

    Raises
    ------
    InvalidRatingsError
        If it cannot be read.
    """
    if isinstance(source, str | Path):
        opened = _open_file(Path(source), choices)
        opened = replace(opened, file_name=Path(source).name)
    elif isinstance(source, pd.DataFrame):
        opened = open_frame(source)
    elif isinstance(source, ArrowStream):
        opened = open_arrow(source)
    else:
        raise InvalidRatingsError(
            f"ratings must be a path, a frame or an Arrow table, got {type(source).__name__}"
        )
    if is_wide(opened, choices):
        return open_wide(opened, choices)
    return opened


def _open_file(path: Path, choices: Choices) -> Opened:
    file = file_bytes(path, member=choices.table)
    if file.kind == "text":
        return _open_text(file, choices)
    if file.kind == "parquet":
        return open_parquet(file)
    if file.kind == "feather":
        return open_feather(file)
    if file.kind == "xlsx":
        return open_excel(file, choices.table)
    if file.kind == "sqlite":
        return open_sqlite(file, choices.table)
    return open_duckdb(file, choices.table)


def _open_text(file: FileBytes, choices: Choices) -> Opened:
    data, is_whole = first_text(file)
    text, encoding = decoded(data, choices.encoding)
    if not text.strip():
        raise InvalidRatingsError("the file is empty")
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        raise InvalidRatingsError("this is a web page, not data: log in, and fetch the file again")
    if is_json(text) and choices.delimiter is None:
        return open_json(file, text, skips=choices.on_bad == "skip")
    layout = layout_of(text, choices)
    if layout == "lists":
        return open_lists(file, encoding)
    if layout == "blocks":
        return open_blocks(file, encoding)
    return open_delimited(file, text, encoding, choices, is_whole=is_whole)
