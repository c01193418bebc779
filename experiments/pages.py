"""What every page shares: one file of HTML that needs no other, and no network.

The page loads nothing: its policy lets the browser apply the styles and run the scripts
that stand in it, told by their hashes, show pictures that stand in it, and no more. It
is light or dark as the reader has it, and what is wide scrolls in a box of its own.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources


def asset(package: str, name: str) -> str:
    """Returns a file that lies beside the modules of a package, as text."""
    return resources.files(package).joinpath(name).read_text("utf-8")


def document(
    title: str, body: Iterable[str], styles: Sequence[str] = (), script: str = ""
) -> str:
    """Returns a page as HTML.

    Args:
        title: its name and its first heading; escaped here.
        body: what stands below, as HTML.
        styles: style sheets, after the one that all pages share.
        script: a module to run, or empty for none.
    """
    style = "\n".join([asset("experiments", "pages.css"), *styles])
    policy = f"default-src 'none'; style-src {_hash(style)}; img-src data:"
    if script:
        policy += f"; script-src {_hash(script)}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>{escape(title)}</title>",
            '<link rel="icon" href="data:,">',
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{escape(title)}</h1>",
            *body,
            "</main>",
            *([f'<script type="module">{script}</script>'] if script else []),
            "</body>",
            "</html>",
            "",
        ]
    )


def link(source: str) -> str:
    """Returns a link to the web, or its text where it leads elsewhere."""
    if not source.startswith(("https://", "http://")):
        return escape(source)
    shown = source.split("://", 1)[1]
    return f'<a href="{escape(source)}">{escape(shown)}</a>'


def scroll(kind: str, label: str, content: str) -> str:
    """Returns a box that scrolls alone; the arrow keys do it when it has the focus."""
    return (
        f'<div class="scroll {kind}" role="region" aria-label="{escape(label)}"'
        f' tabindex="0">{content}</div>'
    )


def facts(values: Mapping[str, str]) -> str:
    """Returns names and values as a list of two columns."""
    pairs = (
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in values.items()
    )
    return f"<dl>{''.join(pairs)}</dl>"


def command(words: Iterable[str]) -> str:
    """Returns a command, broken between its words alone, never behind a flag's --."""
    spans = " ".join(f"<span>{escape(word)}</span>" for word in words)
    return f"<pre><code>{spans}</code></pre>"


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
