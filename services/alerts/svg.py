"""What the pictures of reports are made of: SVG that stands alone, as a `data:` address for an `<img>`.

A picture in an `<img>` runs nothing and fetches nothing, looks the same on screen, on paper and in a PDF, and needs no
exception from a report's content security policy but `img-src data:`. All text goes in cleaned and escaped. Sizes are in
units of the picture.
"""

from __future__ import annotations

import base64
from html import escape
from typing import Final

from services.alerts.cleaning import clean

# without quotation marks and blanks, with which WeasyPrint does not know a name in a picture
FONT: Final = "Inter,Segoe UI,PingFang SC,Microsoft YaHei,Noto Sans CJK SC,DejaVu Sans,sans-serif"


def image(width: float, height: float, body: str, *, stretch: bool = False) -> str:
    """`body` as a whole picture; `stretch`: it fills whatever room it is given."""
    kept = ' preserveAspectRatio="none"' if stretch else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
        f'{kept} font-family="{FONT}" font-size="11">{body}</svg>'
    )


def data_uri(svg: str) -> str:
    """The picture as an address that needs nothing else."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def text(x: float, y: float, said: str, *, anchor: str = "start", tone: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{tone}"{weight}>{escape(clean(said))}</text>'


def box(x: float, y: float, width: float, height: float, tone: str, *, faint: bool = False) -> str:
    opacity = ' fill-opacity="0.45"' if faint else ""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(width, 0):.2f}" height="{height:.2f}" fill="{tone}"{opacity}/>'
