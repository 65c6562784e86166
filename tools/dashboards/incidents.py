"""Alerts: from a flag to somebody who was told."""

from __future__ import annotations

from typing import Final

from tools.dashboards.panels import Dashboard, Line, Panel, Row


def _within(share: float, histogram: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket[$__rate_interval])))"


ALERTS: Final = Dashboard(
    uid="floorwatch-alerts",
    title="Floorwatch: alerts",
    text="Incidents, who was told, whether messages arrive, and how sites are.",
    rows=(
        Row(
            "Incidents",
            (
                Panel(
                    title="Not resolved",
                    kind="stat",
                    width=6,
                    height=5,
                    lines=(Line("max by (severity) (alerts_incidents_unresolved)", "{{severity}}"),),
                ),
                Panel(
                    title="Flags are read",
                    kind="stat",
                    unit="bool",
                    width=6,
                    height=5,
                    bad=1,
                    worse=1,
                    below=True,
                    words={"0": "no", "1": "yes"},
                    lines=(Line("max(alerts_connected)"),),
                ),
                Panel(
                    title="Opened in an hour",
                    width=6,
                    height=5,
                    lines=(Line("sum by (severity) (increase(alerts_incidents_total[1h]))", "{{severity}}"),),
                ),
                Panel(
                    title="Flags not read yet", width=6, height=5, lines=(Line("min(alerts_lag_records)", "records"),)
                ),
                Panel(
                    title="From flag to incident",
                    unit="s",
                    width=12,
                    bad=5,
                    lines=(
                        Line(_within(0.5, "alerts_flag_to_incident_seconds"), "half within"),
                        Line(_within(0.99, "alerts_flag_to_incident_seconds"), "99 of 100 within"),
                    ),
                ),
                Panel(
                    title="Flags by what they did",
                    unit="cps",
                    width=12,
                    stacked=True,
                    lines=(Line("sum by (outcome) (rate(alerts_flags_total[$__rate_interval]))", "{{outcome}}"),),
                ),
            ),
        ),
        Row(
            "Messages",
            (
                Panel(
                    title="Receivers reached",
                    kind="stat",
                    unit="bool",
                    bad=1,
                    worse=1,
                    below=True,
                    words={"0": "dead", "1": "yes"},
                    lines=(Line("min by (receiver) (alerts_receiver_up)", "{{receiver}}"),),
                ),
                Panel(
                    title="Notifications in an hour",
                    stacked=True,
                    lines=(Line("sum by (outcome) (increase(alerts_notifications_total[1h]))", "{{outcome}}"),),
                ),
                Panel(
                    title="One attempt, 99 of 100 within",
                    unit="s",
                    lines=(Line(_within(0.99, "alerts_notification_seconds")),),
                ),
                Panel(
                    title="Attempts by receiver, in an hour",
                    width=12,
                    lines=(
                        Line(
                            "sum by (receiver, outcome) (increase(alerts_receiver_sends_total[1h])) > 0",
                            "{{receiver}} {{outcome}}",
                        ),
                    ),
                ),
                Panel(
                    title="Histories not published yet",
                    width=12,
                    lines=(Line("max(alerts_lines_unpublished)", "lines"),),
                ),
            ),
        ),
        Row(
            "Sites, as alerts watches them",
            (
                Panel(
                    title="Silent",
                    kind="bargauge",
                    bad=1,
                    worse=1,
                    highest=1,
                    lines=(Line("max by (site) (alerts_site_silent) > 0 or vector(0)", "{{site}}"),),
                ),
                Panel(
                    title="Silent for",
                    unit="s",
                    bad=30,
                    lines=(Line("topk(10, min by (site) (alerts_site_silence_seconds))", "{{site}}"),),
                ),
                Panel(
                    title="Monitors behind",
                    unit="s",
                    bad=30,
                    lines=(Line("topk(10, min by (site) (alerts_site_lag_seconds))", "{{site}}"),),
                ),
            ),
        ),
        Row(
            "Records and reports",
            (
                Panel(
                    title="Records stored",
                    unit="cps",
                    stacked=True,
                    lines=(Line("sum by (kind) (rate(alerts_records_total[$__rate_interval]))", "{{kind}}"),),
                ),
                Panel(title="Records not read yet", lines=(Line("min(alerts_recorder_lag_records)", "records"),)),
                Panel(
                    title="Reports in a day",
                    lines=(Line("sum by (state) (increase(alerts_reports_total[1d]))", "{{state}}"),),
                ),
            ),
        ),
    ),
)
