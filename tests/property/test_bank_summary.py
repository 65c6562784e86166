"""Any log of calls, however irregular, gives the figures that counting its rows by the definitions gives."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floorwatch.compare import compare
from tests.bankkit import HEADER, JUNK, expected, lines, summary_of, without_source, write

NUMBERS = count()


def assert_equal(ours: dict[str, Any], oracle: dict[str, Any]) -> None:
    found = compare(without_source(ours), oracle)
    assert [str(one) for one in found.differences] == []
    assert found.equal > 60


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    content=st.lists(st.one_of(lines(), lines(), lines(), st.sampled_from(JUNK)), min_size=1, max_size=40),
    header=st.booleans(),
    end=st.sampled_from(("\n", "\r\n")),
    last_end=st.booleans(),
    packed=st.booleans(),
)
def test_figures_of_any_log_are_those_of_its_rows(
    content: list[str], header: bool, end: str, last_end: bool, packed: bool, tmp_path: Path
) -> None:
    oracle = expected([*([HEADER] if header else []), *content])
    if oracle["rows"] == 0:
        return
    file = write(tmp_path / f"{next(NUMBERS)}.txt{'.gz' * packed}", content, header=header, end=end, last_end=last_end)
    assert_equal(summary_of(file), oracle)


@pytest.mark.parametrize("copies", [1, 3])
def test_a_row_told_again_is_a_row_again(copies: int, tmp_path: Path) -> None:
    from tests.bankkit import row, tabbed

    content = tabbed(row(36_000, wait=30), row(36_010, outcome="HANG", wait=40, talk=0)) * copies
    assert_equal(summary_of(write(tmp_path / "log.txt", content)), expected([HEADER, *content]))
