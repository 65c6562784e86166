"""What is irregular in the rows, counted by name: of the data set's own documentation where it has one."""

from __future__ import annotations

from msgspec import Struct

from services.ingest.adapters.anonymous_bank.rows import NO_SERVER, Row

# Sets from outside must not grow without end; a year of the source has some hundred names and 365 days.
MOST_NAMES = 10_000


class RowCounts(Struct):
    """Counts over all readable rows, PHANTOM ones included. They only grow."""

    rows: int = 0
    lines_repaired_by_whitespace_split: int = 0
    phantom: int = 0
    phantom_by_type: dict[str, int] = {}
    phantom_by_date: dict[str, int] = {}

    agent_with_no_server: int = 0
    agent_ser_time_zero: int = 0
    agent_ser_time_gt_3600: int = 0
    agent_ser_time_max: int | None = None
    hang_with_ser_time: int = 0
    hang_with_server: int = 0
    phantom_with_ser_time: int = 0
    vru_time_negative: int = 0
    q_time_negative: int = 0
    ser_time_negative: int = 0
    service_ends_after_midnight: int = 0
    queue_spans_midnight: int = 0
    q_time_ne_exit_minus_start_mod_day: int = 0
    ser_time_ne_exit_minus_start_mod_day: int = 0
    vru_time_ne_exit_minus_entry: int = 0
    ser_start_before_q_exit: int = 0
    servers: dict[str, None] = {}
    dates: dict[str, None] = {}

    # beyond the names of the data set
    other: dict[str, int] = {}

    def count(self, name: str) -> None:
        """One more of an irregularity that the data set has no name for."""
        self.other[name] = self.other.get(name, 0) + 1

    def add(self, row: Row) -> None:
        """Count a readable row."""
        self.rows += 1
        self.lines_repaired_by_whitespace_split += row.repaired
        self.vru_time_negative += row.vru_time < 0
        self.q_time_negative += row.q_time < 0
        self.ser_time_negative += row.ser_time < 0
        self.service_ends_after_midnight += row.ser_time > 0 and row.ser_exit < row.ser_start
        self.queue_spans_midnight += row.q_time > 0 and row.q_exit < row.q_start
        self.q_time_ne_exit_minus_start_mod_day += (row.q_exit - row.q_start - row.q_time) % 86_400 != 0
        self.ser_time_ne_exit_minus_start_mod_day += (row.ser_exit - row.ser_start - row.ser_time) % 86_400 != 0
        self.vru_time_ne_exit_minus_entry += row.vru_exit - row.vru_entry != row.vru_time
        _note(self.servers, row.server)
        _note(self.dates, row.day.isoformat())
        if row.has_hour_24:
            self.count("hour_24")
        if row.outcome == "AGENT":
            self._add_served(row)
        elif row.outcome == "HANG":
            self.hang_with_ser_time += row.ser_time > 0
            self.hang_with_server += row.server != NO_SERVER
        else:
            self._add_phantom(row)

    def _add_served(self, row: Row) -> None:
        self.agent_with_no_server += row.server == NO_SERVER
        self.agent_ser_time_zero += row.ser_time == 0
        self.agent_ser_time_gt_3600 += row.ser_time > 3600
        self.agent_ser_time_max = max(row.ser_time, self.agent_ser_time_max or 0)
        self.ser_start_before_q_exit += row.q_time > 0 and row.ser_start < row.q_exit

    def _add_phantom(self, row: Row) -> None:
        self.phantom += 1
        self.phantom_with_ser_time += row.ser_time > 0
        _add(self.phantom_by_type, row.service)
        _add(self.phantom_by_date, row.day.isoformat())

    def irregular(self) -> dict[str, int]:
        """Every irregularity that occurred, by name."""
        named = {_NAMES.get(name, name): getattr(self, name) for name in _IRREGULAR if getattr(self, name)}
        embedded = len(self.embedded_no_server())
        return {**named, **({"server_names_with_embedded_NO_SERVER": embedded} if embedded else {}), **self.other}

    def embedded_no_server(self) -> list[str]:
        """Server names that hold NO_SERVER and something else; each is taken as a name."""
        return sorted(name for name in self.servers if NO_SERVER in name and name != NO_SERVER)


_IRREGULAR = (
    "lines_repaired_by_whitespace_split", "phantom", "phantom_with_ser_time", "agent_with_no_server", "agent_ser_time_zero",
    "agent_ser_time_gt_3600", "hang_with_ser_time", "hang_with_server", "vru_time_negative", "q_time_negative",
    "ser_time_negative", "service_ends_after_midnight", "queue_spans_midnight", "q_time_ne_exit_minus_start_mod_day",
    "ser_time_ne_exit_minus_start_mod_day", "vru_time_ne_exit_minus_entry", "ser_start_before_q_exit",
)  # fmt: skip


_NAMES = {"agent_with_no_server": "agent_with_NO_SERVER"}  # as the data set writes it


def _note(found: dict[str, None], name: str) -> None:
    if len(found) < MOST_NAMES:
        found[name] = None


def _add(found: dict[str, int], name: str) -> None:
    if name in found or len(found) < MOST_NAMES:
        found[name] = found.get(name, 0) + 1
