"""How Sphinx makes the site: `sphinx-build -nW --keep-going -c docs . site`. The source is the
repository, so that every link holds here as on GitHub.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import ziamath
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from borarun import __version__

project = "borarun"
version = release = __version__
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**.md",
    "benchmarks/results/*.md",
    "borarun/potentials/README.md",
    "studies/*.md",
    "studies/structures/README.md",
    "studies/gallery/structures/README.md",
    "borarun/published/obelix.md",
]
exclude_patterns = ["site", "runs", ".venv", ".git"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
highlight_language = "none"

extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 5

html_theme = "furo"
html_title = "borarun"
html_static_path = ["style"]
html_favicon = "style/icon.svg"
html_css_files = ["site.css"]
html_math_renderer = "drawn"


ziamath.config.svg2 = False
EM = 16.0
TALLEST_EM = 12.0


def _drawn(latex: str, *, inline: bool) -> str:
    """A formula as SVG that scales with the text, stands on its line and takes its colour; no font
    or script is needed to read it.
    """
    svg = ziamath.Latex(latex, size=EM, color="currentColor", inline=inline).svgxml()
    _, top, width, height = map(float, svg.attrib["viewBox"].split())
    if height > TALLEST_EM * EM:  # ziamath stretches \left( around a sum without end
        raise ExtensionError(
            f"{latex}: is drawn {height / EM:.0f} lines tall. Write \\Big( instead of \\left(."
        )
    svg.attrib |= {
        "width": f"{width / EM:.3f}em",
        "height": f"{height / EM:.3f}em",
        "role": "img",
        "aria-label": latex,
    }
    svg.attrib["style"] = f"vertical-align: {-(top + height) / EM:.3f}em"
    return ElementTree.tostring(svg, encoding="unicode")


def _visit_inline_math(self: Any, node: nodes.math) -> None:
    self.body.append(_drawn(node.astext(), inline=True))
    raise nodes.SkipNode


def _visit_math_block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{_drawn(node.astext(), inline=False)}</div>')
    raise nodes.SkipNode


def _add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Make the index's lists of links, which GitHub shows, the site's table of contents."""
    if page == root_doc:
        for caption, listed in re.findall(
            r"^## (.+?)\n(.*?)(?=^## |\Z)", source[0], re.MULTILINE | re.DOTALL
        ):
            links = re.findall(r"^[-*] \[(.+?)\]\((.+?\.md)\)", listed, re.MULTILINE)
            entries = "\n".join(f"{title} <{target}>" for title, target in links)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def _unlink_folders(app: Sphinx, page: str, source: list[str]) -> None:
    """A folder has a page on GitHub and none here: its name stands without a link."""
    here = Path(app.env.doc2path(page)).parent
    source[0] = re.sub(
        r"\[([^\]]+)\]\(([^)#\s]+)\)",
        lambda link: link[1] if (here / link[2]).is_dir() else link[0],
        source[0],
    )


def _lead_in(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        # without it a browser asks for /favicon.ico
        icon = '<link rel="icon" href="_static/icon.svg">'
        (Path(app.outdir) / "index.html").write_text(
            f'<meta charset="utf-8">{icon}<meta http-equiv="refresh" content="0; '
            f'url={root_doc}.html">\n'
        )


def setup(app: Sphinx) -> None:
    """Formulas; the contents; the way in."""
    app.add_html_math_renderer("drawn", (_visit_inline_math, None), (_visit_math_block, None))
    app.connect("source-read", _add_contents)
    app.connect("source-read", _unlink_folders)
    app.connect("build-finished", _lead_in)
