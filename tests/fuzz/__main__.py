"""Look for inputs that a reader cannot bear, led by coverage: `python -m tests.fuzz --minutes 10 [TARGET...]`.

Each target runs for its share of the time in a process of its own, under atheris. It begins from `seeds.py` and
`cases/`, and keeps in `.cache/fuzz` what it learns. What breaks it is written there; with a name it belongs into `cases/TARGET/`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "fuzz"
CASES = Path(__file__).parent / "cases"
NAMES = ("codec", "generic", "asterisk", "anonymous_bank", "ami", "audiosocket", "media", "control")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("targets", nargs="*", choices=(*NAMES, []), help="all of them if none is named")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    asked = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("skipped: atheris is not installed; there are wheels for Linux, of CPython 3.11 to 3.13")
        return 3
    targets = asked.targets or NAMES
    seconds = max(5, int(asked.minutes * 60 / len(targets)))
    broken = [name for name in targets if not _run(name, seconds)]
    print("broken: " + ", ".join(broken) if broken else "nothing found")
    return 1 if broken else 0


def _run(name: str, seconds: int) -> bool:
    """Whether the target stood everything. What broke it is printed with its file."""
    from tests.fuzz.seeds import seeds

    corpus = CACHE / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (corpus / f"seed-{hashlib.sha1(seed, usedforsecurity=False).hexdigest()[:12]}").write_bytes(seed)
    kept = [str(folder) for folder in (corpus, CASES / name) if folder.is_dir()]
    how = [f"-max_total_time={seconds}", "-max_len=20000", "-timeout=20", "-rss_limit_mb=2048", "-verbosity=0"]
    how += ["-print_final_stats=1", f"-artifact_prefix={CACHE}/{name}-"]
    print(f"== {name}, {seconds} s", flush=True)
    code = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.child", name, *how, *kept], cwd=ROOT, check=False
    ).returncode
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
