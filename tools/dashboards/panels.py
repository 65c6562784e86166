"""The parts of a dashboard: panels that are laid out in rows by themselves, each with the expressions that it draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

WIDTH: Final = 24  # columns of Grafana's grid
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA: Final = 39

Kind = Literal["stat", "timeseries", "bargauge", "table"]
Unit = Literal["short", "s", "bytes", "percentunit", "reqps", "cps", "bool", "dateTimeFromNow"]


class Line(Struct, frozen=True):
    """An expression and how its series are called."""

    expr: str
    legend: str = ""


class Panel(Struct, frozen=True, kw_only=True):
    """`bad` and `worse` are where a value turns yellow and red; `below`: where it falls under them."""

    title: str
    lines: Sequence[Line]
    kind: Kind = "timeseries"
    unit: Unit = "short"
    text: str = ""
    width: int = 8
    height: int = 7
    bad: float | None = None
    worse: float | None = None
    below: bool = False
    stacked: bool = False
    highest: float | None = None
    words: Mapping[str, str] = {}  # what to show instead of a value


class Row(Struct, frozen=True):
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


class Dashboard(Struct, frozen=True):
    """`by_site`: it has a list of sites to choose from, `$site` in expressions."""

    uid: str
    title: str
    text: str
    rows: Sequence[Row]
    by_site: str = ""  # the metric whose label `site` gives the list

    def expressions(self) -> Iterator[str]:
        """All that its panels ask."""
        for row in self.rows:
            for panel in row.panels:
                for line in panel.lines:
                    yield line.expr

    def render(self) -> dict[str, Any]:
        """As Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.text,
            "tags": ["floorwatch"],
            "schemaVersion": _SCHEMA,
            "version": 1,
            "editable": False,
            "refresh": "15s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "links": [_links()],
            "templating": {"list": self._variables()},
            "panels": list(self._panels()),
        }

    def _variables(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [
            {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
        ]
        if self.by_site:
            query = f"label_values({self.by_site}, site)"
            found.append(
                {
                    "name": "site",
                    "label": "Site",
                    "type": "query",
                    "datasource": _SOURCE,
                    "query": {"query": query, "refId": "site"},
                    "definition": query,
                    "refresh": 2,
                    "sort": 1,
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".*",
                    "current": {"text": ["All"], "value": ["$__all"]},
                }
            )
        return found

    def _panels(self) -> Iterator[dict[str, Any]]:
        number, y = 0, 0
        for row in self.rows:
            number += 1
            yield {
                "id": number,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
                "panels": [],
            }
            y += 1
            x = height = 0
            for panel in row.panels:
                if x + panel.width > WIDTH:
                    x, y, height = 0, y + height, 0
                number += 1
                yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": panel.height})
                x, height = x + panel.width, max(height, panel.height)
            y += height


def _links() -> dict[str, Any]:
    return {
        "title": "Floorwatch",
        "type": "dashboards",
        "tags": ["floorwatch"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
    }


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "thresholds": _thresholds(panel), "mappings": []}
    if panel.highest is not None:
        defaults["max"] = panel.highest
    if panel.words:
        words = {value: {"text": text} for value, text in panel.words.items()}
        defaults["mappings"] = [{"type": "value", "options": words}]
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 25 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "line" if panel.bad is not None else "off"},
        }
    else:
        defaults["color"] = {"mode": "thresholds"}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "targets": [_target(line, "ABCDEFGHIJ"[at], panel.kind) for at, line in enumerate(panel.lines)],
    }


def _thresholds(panel: Panel) -> dict[str, Any]:
    colours = [("green", None), ("yellow", panel.bad), ("red", panel.worse)]
    if panel.below:
        colours = [("red", None), ("yellow", panel.worse), ("green", panel.bad)]
    steps = [{"color": colour, "value": at} for colour, at in colours if at is not None or colour == colours[0][0]]
    return {"mode": "absolute", "steps": steps}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "stat":
        return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
    if panel.kind == "bargauge":
        return {"reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic"}
    return {"showHeader": True, "cellHeight": "sm"}


def _target(line: Line, name: str, kind: Kind) -> dict[str, Any]:
    instant = kind != "timeseries"
    return {
        "refId": name,
        "datasource": _SOURCE,
        "expr": line.expr,
        "legendFormat": line.legend or "__auto",
        "instant": instant,
        "range": not instant,
        "format": "table" if kind == "table" else "time_series",
    }
