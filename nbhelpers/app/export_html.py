"""The whole app as one HTML file: factors and fold-in in the page, no server, nothing to fetch."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.app.page_source import page_html, page_part
from nbhelpers.app.posters import poster
from nbhelpers.app.service import LEAST_SUPPORT, MOST_LIKES, Service
from nbhelpers.core.file_in_place import replacing
from nbhelpers.models.als import ALS, IALS
from nbhelpers.models.feature_als import FeatureIALS

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
HALF_LIMIT = float(np.finfo(np.float16).max)


def export_html(service: Service, path: str | Path) -> int:
    """Write the app with its first model into one file that opens by itself.

    The file holds the items' factors in half precision, titles, counts and drawn posters, but no
    person's history. Its lists are those of the service but for what half precision rounds.

    Parameters
    ----------
    service : Service
        Whose first model is an ``ALS`` or ``IALS``: their fold-in fits into a page.
    path : str or Path
        Of the file, replaced as a whole or not at all.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    ValueError
        If the model is another one, or its factors do not fit into half precision.
    """
    name, model = next(iter(service.models.items()))
    if not isinstance(model, ALS | IALS) or isinstance(model, FeatureIALS):
        raise ValueError(
            f"a page by itself needs the fold-in of ALS or IALS, {name!r} is "
            f"{type(model).__name__}: train one of these, or serve the app"
        )
    content = json.dumps(_content(service, name, model), ensure_ascii=False)
    # In a script element "</" would end it, and "<!--" would begin a comment.
    script = content.replace("<", "\\u003c")
    engine = page_part("from_page.js")
    page = page_html(
        title=service.title, about=service.about, engine=engine, policy=POLICY
    ).replace(
        "<noscript>",
        f'<script type="application/json" id="stored">{script}</script>\n<noscript>',
        1,
    )
    content_bytes = page.encode()
    with replacing(Path(path)) as draft:
        draft.write_bytes(content_bytes)
    return len(content_bytes)


def _content(service: Service, name: str, model: ALS | IALS) -> dict[str, Any]:
    catalog = service.catalog
    factors = model.item_factors.cpu().numpy()
    largest = float(np.abs(factors).max())
    if not largest < HALF_LIMIT:
        raise ValueError(f"half precision ends at {HALF_LIMIT:,.0f}, a factor is {largest:,.0f}")
    number = {genre: k for k, genre in enumerate(catalog.genres)}
    drawn = [poster(f.title, year=f.year, genres=f.genres) for f in catalog.facts]
    about = {**service.describe(), "models": [name], "n_people": 0}
    return {
        "about": about,
        "n_items": len(catalog.facts),
        "n_factors": factors.shape[1],
        "factors": _text(factors.astype("<f2")),
        "counts": _text(catalog.counts.astype("<u4")),
        "served": _text(service.served(name).numpy().astype("u1")),
        "groups": [[g.name, _text(g.counts.astype("<u4"))] for g in service.groups.values()],
        **model.fold_in_weights(MOST_LIKES)._asdict(),
        "least_support": LEAST_SUPPORT,
        "ids": catalog.ids,
        "titles": [f.title for f in catalog.facts],
        "years": [f.year for f in catalog.facts],
        "genres_of": [[number[genre] for genre in f.genres] for f in catalog.facts],
        "posters": base64.b64encode(gzip.compress(json.dumps(drawn).encode(), 9)).decode(),
    }


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()
