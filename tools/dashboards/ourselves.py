"""Ourselves: the processes, what they take, and what they answer."""

from __future__ import annotations

from typing import Final

from tools.dashboards.panels import Dashboard, Line, Panel, Row

_OURS: Final = '{job=~"floorwatch-.*"}'
_EACH: Final = "{{job}} {{instance}}"
_FIRING: Final = (
    'count by (alertname, severity) (ALERTS{alertname=~"Floorwatch.*", alertname!="FloorwatchWatchdog", '
    'alertstate="firing"})'
)
_REQUESTS: Final = "sum by (job) (rate(http_requests_total[$__rate_interval]))"
_ERRORS: Final = f'sum by (job) (rate(http_requests_total{{code="5xx"}}[$__rate_interval])) / ({_REQUESTS} > 0)'
_SLOWEST: Final = (
    "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[$__rate_interval])))"
)

OURSELVES: Final = Dashboard(
    uid="floorwatch-ourselves",
    title="Floorwatch: ourselves",
    text="Whether every process runs, in which version, and what it takes.",
    rows=(
        Row(
            "Processes",
            (
                Panel(
                    title="Answer",
                    kind="stat",
                    unit="bool",
                    width=12,
                    bad=1,
                    worse=1,
                    below=True,
                    words={"0": "no", "1": "yes"},
                    lines=(Line(f"up{_OURS}", _EACH),),
                ),
                Panel(
                    title="Versions",
                    kind="table",
                    width=6,
                    lines=(Line("count by (service, version) (floorwatch_build_info)"),),
                ),
                Panel(
                    title="Alerts that fire",
                    kind="table",
                    width=6,
                    lines=(Line(_FIRING),),
                ),
                Panel(
                    title="Processor",
                    text="Of the one core that a process can use.",
                    unit="percentunit",
                    bad=0.85,
                    lines=(Line(f"rate(process_cpu_seconds_total{_OURS}[$__rate_interval])", _EACH),),
                ),
                Panel(
                    title="Memory",
                    unit="bytes",
                    bad=8e8,
                    lines=(Line(f"process_resident_memory_bytes{_OURS}", _EACH),),
                ),
                Panel(
                    title="Open files of those allowed",
                    unit="percentunit",
                    bad=0.8,
                    highest=1,
                    lines=(Line(f"process_open_fds{_OURS} / process_max_fds", _EACH),),
                ),
                Panel(
                    title="Running since",
                    kind="stat",
                    unit="dateTimeFromNow",
                    width=12,
                    height=5,
                    lines=(Line(f"process_start_time_seconds{_OURS} * 1000", _EACH),),
                ),
                Panel(
                    title="Starts in an hour",
                    width=12,
                    height=5,
                    lines=(Line(f"changes(process_start_time_seconds{_OURS}[1h])", _EACH),),
                ),
            ),
        ),
        Row(
            "Requests",
            (
                Panel(
                    title="Answered",
                    unit="reqps",
                    lines=(Line(_REQUESTS, "{{job}}"),),
                ),
                Panel(
                    title="Errors of ours",
                    unit="percentunit",
                    bad=0.05,
                    lines=(
                        Line(
                            _ERRORS,
                            "{{job}}",
                        ),
                    ),
                ),
                Panel(
                    title="99 of 100 within",
                    unit="s",
                    lines=(
                        Line(
                            _SLOWEST,
                            "{{job}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Broker, databases, settings",
            (
                Panel(
                    title="Broker lost, in an hour",
                    bad=1,
                    lines=(
                        Line(
                            "sum by (pump, instance) (increase(pump_broker_losses_total[1h]))", "{{pump}} {{instance}}"
                        ),
                    ),
                ),
                Panel(
                    title="State rebuilt, in an hour",
                    lines=(
                        Line("sum by (pump, instance) (increase(pump_restores_total[1h]))", "{{pump}} {{instance}}"),
                    ),
                ),
                Panel(
                    title="Monitor's database",
                    kind="stat",
                    unit="bool",
                    bad=1,
                    worse=1,
                    below=True,
                    words={"0": "away", "1": "answers"},
                    lines=(Line("monitor_database_up", "{{instance}}"),),
                ),
                Panel(
                    title="Rules read",
                    kind="stat",
                    unit="dateTimeFromNow",
                    height=5,
                    lines=(Line("monitor_rules_loaded_timestamp_seconds * 1000", "{{instance}}"),),
                ),
                Panel(
                    title="Alert file read",
                    kind="stat",
                    unit="dateTimeFromNow",
                    height=5,
                    lines=(Line("alerts_file_loaded_timestamp_seconds * 1000", "{{instance}}"),),
                ),
                Panel(
                    title="Files that cannot be used as they are",
                    height=5,
                    bad=1,
                    lines=(Line("sum by (file) (1 - floorwatch_file_usable)", "{{file}}"),),
                ),
            ),
        ),
        Row(
            "Who comes in, and who does not",
            (
                Panel(
                    title="Signed in and not, in an hour",
                    lines=(Line("sum by (outcome) (increase(auth_sign_ins_total[1h]))", "{{outcome}}"),),
                ),
                Panel(
                    title="Refused for who asks, a second",
                    lines=(Line("sum by (reason) (rate(auth_refusals_total[5m]))", "{{reason}}"),),
                ),
                Panel(
                    title="Refused because so many came, a second",
                    lines=(
                        Line("sum by (kind) (rate(http_too_often_total[5m]))", "{{kind}}"),
                        Line("sum(rate(http_connections_refused_total[5m]))", "connections"),
                    ),
                ),
                Panel(
                    title="Identity provider",
                    kind="stat",
                    unit="bool",
                    height=5,
                    bad=1,
                    worse=1,
                    below=True,
                    words={"0": "away", "1": "answers"},
                    lines=(Line("auth_provider_up", "{{provider}} {{instance}}"),),
                ),
                Panel(
                    title="Certificate ends",
                    kind="stat",
                    unit="dateTimeFromNow",
                    height=5,
                    lines=(
                        Line("floorwatch_certificate_expiry_timestamp_seconds * 1000", "{{instance}} {{certificate}}"),
                    ),
                ),
            ),
        ),
    ),
)
