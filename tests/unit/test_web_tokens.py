"""The colours of the pages can be read and told apart, in both themes, also by the colour-blind."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

TOKENS = (Path(__file__).parents[2] / "shared" / "web" / "tokens.css").read_text(encoding="utf-8")
THEMES = ("light", "dark")
STATES = ("ready", "ringing", "talk", "hold", "consult", "wrap", "break", "offline", "unknown")
Rgb = tuple[float, float, float]

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB
DEFICIENCIES = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def colours(theme: str) -> dict[str, Rgb]:
    """Every `--name: light-dark(#..., #...)` of the tokens as linear RGB."""
    found = re.findall(r"--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)", TOKENS)
    return {name: _linear((light, dark)[THEMES.index(theme)]) for name, light, dark in found}


def _linear(digits: str) -> Rgb:
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = ((c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in parts)
    return red, green, blue


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG 2.2 contrast ratio, 1 to 21."""
    light, dark = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def tinted(tone: Rgb, ground: Rgb, share: float) -> Rgb:
    """`color-mix(in oklab, tone share, ground)`: what a tile shows."""
    lightness, a, b = (t * share + g * (1 - share) for t, g in zip(oklab(tone), oklab(ground), strict=True))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def oklab(colour: Rgb) -> Rgb:
    r, g, b = (max(0.0, c) for c in colour)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def distance(one: Rgb, other: Rgb) -> float:
    """Distance in OKLab; 0.02 is just noticeable side by side."""
    return sum((a - b) ** 2 for a, b in zip(oklab(one), oklab(other), strict=True)) ** 0.5


def seen_with(deficiency: str, colour: Rgb) -> Rgb:
    red, green, blue = (sum(w * c for w, c in zip(row, colour, strict=True)) for row in DEFICIENCIES[deficiency])
    return red, green, blue


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "name", ["text", "text-2", "text-3", "accent", "critical", "warning", "info", "ok", "simulated", "rewind"]
)
def test_text_can_be_read_on_every_ground(theme: str, name: str) -> None:
    palette = colours(theme)
    for ground in ("surface", "raised", "bg"):
        assert contrast(palette[name], palette[ground]) >= 4.5, ground


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("tone", ["critical", "warning", "info", "accent", "simulated", "rewind"])
def test_quiet_text_can_be_read_on_what_is_marked(theme: str, tone: str) -> None:
    palette = colours(theme)
    for name in ("text-2", "text-3"):
        assert contrast(palette[name], tinted(palette[tone], palette["surface"], 0.18)) >= 4.5, name


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("state", STATES)
def test_a_state_s_word_can_be_read_on_its_own_tile(theme: str, state: str) -> None:
    palette = colours(theme)
    tone = palette[f"state-{state}"]
    assert contrast(tone, palette["surface"]) >= 4.5
    if state not in ("offline", "unknown"):  # these have no tint
        assert (
            contrast(tone, tinted(tone, palette["surface"], 0.13)) >= 4.0
        )  # semibold 15 px and larger, beside its shape
        assert contrast(palette["text"], tinted(tone, palette["surface"], 0.13)) >= 7.0


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_what_matters_most_is_told_apart_without_full_colour_sight(theme: str, deficiency: str) -> None:
    """Ready, talk, hold and wrap by colour alone; the shape tells all nine."""
    palette = {name: seen_with(deficiency, colour) for name, colour in colours(theme).items()}
    for one, other in itertools.combinations(("ready", "talk", "hold", "wrap"), 2):
        assert distance(palette[f"state-{one}"], palette[f"state-{other}"]) >= 0.05, (one, other)
    assert distance(palette["ok"], palette["critical"]) >= 0.05
