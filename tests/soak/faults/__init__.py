"""What is broken on purpose, by name. Importing this puts every fault into the registry."""

from tests.soak.faults import boards, clocks, databases, network, processes, records
from tests.soak.faults.registry import FAULTS, Fault, possible

__all__ = ["FAULTS", "Fault", "boards", "clocks", "databases", "network", "possible", "processes", "records"]
