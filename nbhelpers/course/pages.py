"""The course as web pages: what a reader without Python sees, and what we look at."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import nbformat
from jinja2 import DictLoader
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html

from nbhelpers.course.jupytext_pairs import sources

# Code, which stays as it is, then formulas: displayed, and within a line.
CODE_OR_FORMULA = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.S)
TEMPLATE = """
{%- extends 'basic/index.html.j2' -%}
{%- block input_group -%}
{%- set tags = cell.metadata.get('tags', []) -%}
{%- if 'claims' in tags or 'solution' in tags -%}
<details class="folded"><summary>{{ cell.source | folded_title }}</summary>
{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock input_group -%}
{%- block in_prompt -%}{%- endblock in_prompt -%}
{%- block output_prompt -%}{%- endblock output_prompt -%}
"""
STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1e; --paper: #fff; --soft: #f4f4f2; --line: #ddd;
  --link: #0b5cad; --word: #7a3e9d; --text: #2f7a32; --note: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e4; --paper: #121212; --soft: #1e1e1e;
  --line: #3a3a3a; --link: #7ab7ff; --word: #c792ea; --text: #a5d6a7; --note: #9a9a9a; } }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 1.05rem/1.6 Georgia, 'DejaVu Serif', serif; }
h1, h2, h3 { line-height: 1.25; font-family: system-ui, 'DejaVu Sans', sans-serif; }
h2 { margin-top: 2.5rem; }
a { color: var(--link); }
a.anchor-link { display: none; }
pre, code { font: 0.86rem/1.5 'DejaVu Sans Mono', Consolas, monospace; }
pre { overflow-x: auto; margin: 0; }
.highlight { background: var(--soft); border-left: 3px solid var(--line);
  padding: 0.6rem 0.8rem; border-radius: 4px; }
.output pre, .output_text pre { padding: 0.4rem 0.8rem; }
.output_html, .output_subarea { overflow-x: auto; }
img { max-width: 100%; height: auto; display: block; margin: 0.8rem auto; }
table { border-collapse: collapse; font: 0.88rem/1.4 system-ui, 'DejaVu Sans', sans-serif;
  display: block; max-width: 100%; overflow-x: auto; margin: 0.6rem 0; }
td, th { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
.output_html table { white-space: nowrap; }
.output_html td, .output_html th { text-align: right; }
math[display=block] { display: block math; overflow-x: auto; max-width: 100%; }
details { margin: 0.6rem 0; }
summary { cursor: pointer; color: var(--note); font-family: system-ui, sans-serif; }
nav { font-family: system-ui, sans-serif; font-size: 0.9rem; }
.k, .kn, .kc, .ow, .kd { color: var(--word); } .s1, .s2, .sa, .sd, .si { color: var(--text); }
.c1, .c { color: var(--note); font-style: italic; }
"""
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body>{content}</body></html>
"""


def write_pages(folder: Path, readme: Path, out: Path) -> list[Path]:
    """Write every lesson and lab as a page, and a README as the first one.

    The pages need nothing from elsewhere: no script, no font, no style sheet.

    Parameters
    ----------
    folder : Path
        The folder ``notebooks``.
    readme : Path
    out : Path
        Where the pages go; made if it is not there.

    Returns
    -------
    list of Path
        The pages.
    """
    root = readme.parent
    written = []
    for path in sources(folder):
        page = out / path.relative_to(root).with_suffix(".html")
        text = page_of(path.with_suffix(".ipynb"), home=_up(page, out) + "index.html")
        written.append(_write(page, text))
    for path in [readme, *sorted((root / "docs").glob("*.md"))]:
        name = "index.html" if path == readme else path.relative_to(root).with_suffix(".html")
        content = markdown2html(path.read_text(encoding="utf-8"))
        title = path.stem if path != readme else "Collaborative filtering"
        page = out / name
        written.append(_write(page, _page(title, _linked(content))))
    for picture in (root / "docs").glob("*.png"):
        shutil.copyfile(picture, out / "docs" / picture.name)
    return written


def page_of(path: Path, *, home: str = "index.html") -> str:
    """One notebook as a page, with the checks and solutions folded.

    Parameters
    ----------
    path : Path
        The ``.ipynb``, with its outputs.
    home : str
        Address of the first page, seen from this one.

    Returns
    -------
    str
    """
    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"page.html.j2": TEMPLATE})],
        template_file="page.html.j2",
        filters={"folded_title": _folded_title},
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = CODE_OR_FORMULA.sub(_as_mathml, cell.source)
    content, _ = exporter.from_notebook_node(notebook)
    title = notebook.cells[0].source.partition("\n")[0].removeprefix("# ")
    return _page(title, f'<nav><a href="{home}">The course</a></nav>{_linked(content)}')


def _as_mathml(found: re.Match[str]) -> str:
    """A formula as browsers draw it by themselves, without a script from elsewhere."""
    code, displayed, inline = found.groups()
    if code:
        return str(code)
    return str(convert(displayed or inline, display="block" if displayed else "inline"))


def _folded_title(source: str) -> str:
    """What a folded cell calls itself in its first line."""
    return html.escape(source.partition("\n")[0].removeprefix("# @title "))


def _page(title: str, content: str) -> str:
    return PAGE.format(title=html.escape(title), style=STYLE, content=content)


def _linked(content: str) -> str:
    """Links between notebooks and documents, as links between pages."""
    return re.sub(r'href="(?!https?:)([^"#]+)\.(?:ipynb|md)([#"])', r'href="\1.html\2', content)


def _up(page: Path, out: Path) -> str:
    return "../" * (len(page.relative_to(out).parts) - 1)


def _write(page: Path, text: str) -> Path:
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page
