"""Where the page's script draws a chart, and how a configuration's line looks."""

from launch.parts.text import plain

COLOURS = 7  # of a line, in chart.css
DASHES = 4  # beyond the colours


def style(place: int) -> str:
    """Returns the classes of the line of the configuration at a place."""
    return f"c{place % COLOURS} d{place // COLOURS % DASHES}"


def swatch(place: int) -> str:
    """Returns a sample of that line."""
    return (
        f'<svg class="swatch {style(place)}" width="24" height="10" aria-hidden="true">'
        '<line x1="1" y1="5" x2="23" y2="5"/></svg>'
    )


def chart(title: str) -> str:
    """Returns the place of a chart: its title is its key in the page's data."""
    return (
        f'<div class="chart" data-chart="{plain(title)}">'
        "<noscript><p>The curves need the script of this page; the tables do not.</p>"
        "</noscript></div>"
    )
