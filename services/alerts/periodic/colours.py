"""Colours on white paper: those of the pages' light theme (shared/web/tokens.css)."""

from __future__ import annotations

from typing import Final

TEXT: Final = "#171b21"
MUTED: Final = "#4c5663"
LINE: Final = "#dde1e7"
GROUND: Final = "#f6f7f9"
ACCENT: Final = "#0b5cad"
CRITICAL: Final = "#b8231a"
OK: Final = "#14764a"
SIMULATED: Final = "#7a2e8f"
NO_DATA: Final = "#ffffff"

STATES: Final = {
    "talk": "#0a4a94",
    "hold": "#a34a00",
    "consult": "#a02578",
    "wrap": "#7148bd",
    "ringing": "#7d6100",
    "ready": "#14764a",
    "break": "#6a5b43",
    "unknown": "#4c5663",
    "offline": "#68727e",
}
SERIES: Final = {"accent": ACCENT, "critical": CRITICAL, "ok": OK, "muted": "#8a94a1", **STATES}
_LIGHT, _DARK = (0xE8, 0xF0, 0xF9), (0x06, 0x36, 0x6E)  # of a heat strip: one hue, so that it is read as more and less


def heat(share: float) -> str:
    """From pale to dark for 0 to 1."""
    at = min(1.0, max(0.0, share))
    return "#" + "".join(f"{round(low + (high - low) * at):02x}" for low, high in zip(_LIGHT, _DARK, strict=True))
