"""The pipeline: from the switches' words to flags and boards, and where it is slow or broken."""

from __future__ import annotations

from typing import Final

from tools.dashboards.panels import Dashboard, Line, Panel, Row

_EACH: Final = "{{pump}} {{instance}}"


def _p99(histogram: str, by: str) -> str:
    return f"histogram_quantile(0.99, sum by ({by}, le) (rate({histogram}_bucket[$__rate_interval])))"


PIPELINE: Final = Dashboard(
    uid="floorwatch-pipeline",
    title="Floorwatch: pipeline",
    text="What arrives, how soon it is worked, what could not be used.",
    rows=(
        Row(
            "Is it the present",
            (
                Panel(
                    title="Live",
                    kind="stat",
                    unit="bool",
                    width=6,
                    height=5,
                    bad=1,
                    worse=1,
                    below=True,
                    words={"0": "no", "1": "yes"},
                    lines=(Line("pump_ready", _EACH),),
                ),
                Panel(title="Behind", unit="s", width=6, height=5, bad=3, lines=(Line("pump_behind_seconds", _EACH),)),
                Panel(title="Records waiting", width=6, height=5, lines=(Line("pump_lag_records", _EACH),)),
                Panel(
                    title="Since the last turn of the loop",
                    unit="s",
                    width=6,
                    height=5,
                    bad=5,
                    lines=(Line("pump_since_turn_seconds", _EACH),),
                ),
            ),
        ),
        Row(
            "What arrives",
            (
                Panel(
                    title="Raw records by vendor",
                    unit="cps",
                    stacked=True,
                    lines=(
                        Line("sum by (vendor) (rate(ingest_raw_records_total[$__rate_interval])) > 0", "{{vendor}}"),
                    ),
                ),
                Panel(
                    title="Records worked, marks among them",
                    unit="cps",
                    lines=(Line('rate(pump_records_total{outcome="applied"}[$__rate_interval])', _EACH),),
                ),
                Panel(
                    title="Flags and records published",
                    unit="cps",
                    text="Of one replica: each publishes the same.",
                    lines=(Line("max by (kind) (rate(monitor_facts_total[$__rate_interval])) > 0", "{{kind}}"),),
                ),
                Panel(
                    title="Put aside in an hour",
                    text="Dead letters of the pumps, of flags and of records; their topic keeps them for 30 days.",
                    lines=(
                        Line(
                            'max by (pump) (sum without (outcome) (increase(pump_records_total{outcome=~"invalid|failed"}[1h])))',
                            "{{pump}}",
                        ),
                        Line("sum(increase(alerts_dead_letters_total[1h]))", "flags"),
                        Line("sum(increase(alerts_records_dead_letters_total[1h]))", "records"),
                    ),
                ),
                Panel(
                    title="Gaps and duplicates in an hour",
                    lines=(
                        Line("sum(increase(ingest_gaps_total[1h]))", "gaps"),
                        Line("sum(increase(ingest_lost_total[1h]))", "records lost in them"),
                        Line("sum(increase(ingest_duplicates_total[1h]))", "duplicates"),
                    ),
                ),
                Panel(
                    title="Anomalies in an hour",
                    lines=(Line("topk(8, max by (kind) (increase(monitor_anomalies_total[1h]))) > 0", "{{kind}}"),),
                ),
            ),
        ),
        Row(
            "Clocks and links",
            (
                Panel(
                    title="Sites by link",
                    lines=(Line("max by (link) (ingest_sites)", "{{link}}"),),
                ),
                Panel(
                    title="Clock marks", unit="cps", lines=(Line("rate(ingest_clock_marks_total[$__rate_interval])"),)
                ),
                Panel(
                    title="Clocks that jumped, stamps that did not fit, in an hour",
                    lines=(
                        Line("sum(increase(ingest_clock_jumps_total[1h]))", "jumps"),
                        Line("sum(increase(ingest_restamped_total[1h]))", "stamps"),
                    ),
                ),
                Panel(
                    title="Asterisk: logged in",
                    kind="stat",
                    unit="bool",
                    height=5,
                    bad=1,
                    worse=1,
                    below=True,
                    words={"0": "no", "1": "yes"},
                    lines=(Line("asterisk_link_up", "{{site}}"),),
                ),
                Panel(
                    title="Asterisk: waits for the broker",
                    unit="s",
                    height=5,
                    bad=5,
                    lines=(Line("asterisk_late_seconds", "{{site}}"),),
                ),
                Panel(
                    title="Asterisk: packets",
                    unit="cps",
                    height=5,
                    lines=(Line("rate(asterisk_packets_total[$__rate_interval])", "{{site}}"),),
                ),
            ),
        ),
        Row(
            "Boards",
            (
                Panel(
                    title="Connected",
                    lines=(
                        Line("monitor_feed_subscribers", "boards {{instance}}"),
                        Line("monitor_feed_behind", "taking nothing {{instance}}"),
                    ),
                ),
                Panel(
                    title="Sent",
                    unit="bytes",
                    lines=(Line("rate(monitor_feed_bytes_total[$__rate_interval])", "{{instance}}"),),
                ),
                Panel(
                    title="Let go and come back, in ten minutes",
                    lines=(
                        Line("sum(increase(monitor_feed_too_slow_total[10m]))", "too slow"),
                        Line("sum by (answer) (increase(monitor_feed_resumes_total[10m]))", "back: {{answer}}"),
                    ),
                ),
            ),
        ),
        Row(
            "Checkpoints and the loop",
            (
                Panel(
                    title="Loop held, 99 of 100 below",
                    unit="s",
                    bad=0.05,
                    lines=(Line(_p99("pump_stretch_seconds", "pump, instance"), _EACH),),
                ),
                Panel(
                    title="Checkpoint, 99 of 100 below",
                    unit="s",
                    lines=(Line(_p99("pump_checkpoint_seconds", "pump, instance"), _EACH),),
                ),
                Panel(title="Size of the last checkpoint", unit="bytes", lines=(Line("pump_checkpoint_bytes", _EACH),)),
            ),
        ),
        Row(
            "Sound",
            (
                Panel(
                    title="Forks and listeners",
                    lines=(Line("relay_forks", "forks {{state}}"), Line("relay_listeners", "listeners")),
                ),
                Panel(
                    title="Frames",
                    unit="cps",
                    lines=(
                        Line("rate(relay_frames_in_total[$__rate_interval])", "in"),
                        Line("rate(relay_frames_out_total[$__rate_interval])", "out"),
                        Line("rate(relay_frames_discarded_total[$__rate_interval])", "dropped: {{where}}"),
                    ),
                ),
                Panel(
                    title="Longest stall", unit="s", bad=0.1, lines=(Line("relay_loop_stall_seconds", "{{instance}}"),)
                ),
            ),
        ),
    ),
)
