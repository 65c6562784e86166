"""Each reader of foreign bytes on some that nobody meant to send, and on each that has a name (`cases/TARGET/`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import CASES, NAMES
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import CUT, TARGETS

NAMED = sorted(path.relative_to(CASES) for path in CASES.rglob("*") if path.is_file())


@st.composite
def damaged(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """Something good with a piece of it replaced, and perhaps the rest of something else behind."""
    found = draw(st.sampled_from(good))
    start = draw(st.integers(0, len(found)))
    end = draw(st.integers(start, min(len(found), start + 40)))
    spoilt = found[:start] + draw(
        st.binary(max_size=20) | st.sampled_from([b"", CUT, b"null", b"-1", b"\xff", b"9" * 40])
    )
    spoilt += found[end:]
    return spoilt + draw(st.just(b"") | st.sampled_from(good).map(lambda other: CUT + other[-200:]))


def test_there_are_targets_for_all_readers() -> None:
    assert set(TARGETS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_right_is_taken(name: str) -> None:
    for seed in seeds(name)[:5]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(data=st.data())
def test_whatever_comes_is_borne(name: str, data: st.DataObject) -> None:
    TARGETS[name](data.draw(st.binary(max_size=300) | damaged([one[:3000] for one in seeds(name)[:8]])))


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_what_has_a_name_is_borne(case: Path) -> None:
    TARGETS[case.parts[0]]((CASES / case).read_bytes())
