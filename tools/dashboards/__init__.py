"""Grafana dashboards, made here and nowhere else: `python -m tools.dashboards`, or `make docs`."""
