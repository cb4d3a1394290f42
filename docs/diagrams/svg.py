# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few shapes of SVG, as text."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

INK, FAINT, PAPER = "#1f2933", "#7b8794", "#ffffff"
HELD, BAD = "#2f7d4f", "#c0392b"


def number(value: float) -> str:
    """Return a coordinate, short, and alike on every machine."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def text(x: float, y: float, what: str, size: int = 12, anchor: str = "start", colour: str = INK) -> str:
    """Return a line of text whose base line is at ``y``."""
    place = f'x="{number(x)}" y="{number(y)}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{escape(what)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = INK, dashes: str = "", arrow: bool = False) -> str:
    """Return a straight line, with a head at its end if it is an arrow."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line {ends} stroke="{colour}"{dashed}{_head(colour) if arrow else ""}/>'


def curve(points: Iterable[tuple[float, float]], colour: str = INK, dashes: str = "") -> str:
    """Return a curved arrow from the first of three points to the last, drawn towards the second."""
    (x1, y1), (x2, y2), (x3, y3) = points
    path = f"M{number(x1)} {number(y1)}Q{number(x2)} {number(y2)} {number(x3)} {number(y3)}"
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{path}" fill="none" stroke="{colour}"{dashed}{_head(colour)}/>'


def box(x: float, y: float, width: float, height: float, fill: str, edge: str = "none", radius: float = 0) -> str:
    """Return a rectangle."""
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect {place} rx="{number(radius)}" fill="{fill}" stroke="{edge}"/>'


def page(width: float, height: float, title: str, shapes: Iterable[str]) -> str:
    """Return a whole drawing. ``title`` is for those who do not see it."""
    heads = "".join(
        f'<marker id="{_name(colour)}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for colour in (INK, FAINT, HELD, BAD)
    )
    size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif">',
            f"<title>{escape(title)}</title>",
            f"<defs>{heads}</defs>",
            box(0, 0, width, height, PAPER),
            *shapes,
            "</svg>\n",
        ]
    )


def _head(colour: str) -> str:
    return f' marker-end="url(#{_name(colour)})"'


def _name(colour: str) -> str:
    return f"head-{colour.lstrip('#')}"
