"""Every word of every page exists in both languages, and every word a page asks for exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "shared" / "web"
PAGES = sorted(path for path in ROOT.glob("services/*/web") if (path / "index.html").exists())
LANGUAGES = {"en", "zh-CN"}

# t("key"), t(condition ? "key" : "other", ...), data-t="key", "data-t-title": "key"
_CALL = re.compile(r"(?<![\w.$])t\(")
_TEXT = re.compile(r'"([a-z][\w.-]*)"|`([^`]*)`')
_ATTRIBUTE = re.compile(r"""data-t(?:-[a-z-]+)?["']?\s*[=:]\s*["`]([^"`]+)["`]""")
_COMMENT = re.compile(r"(?m)^\s*(?://|/?\*).*$")
_VALUES = re.compile(r"\{(\w+)")


def strings_of(folder: Path) -> dict[str, dict[str, str]]:
    """The dictionaries of a service's pages, `strings.js` of the folder and of those in it: the JSON after `export default`."""
    together: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob("strings.js")):
        body = path.read_text(encoding="utf-8").split("export default", 1)[1].strip().removesuffix(";")
        found = json.loads(body, object_pairs_hook=_without_doubles)
        assert isinstance(found, dict)
        for language, words in found.items():
            known = together.setdefault(language, {})
            assert not known.keys() & words.keys(), f"{path}: written elsewhere too"
            known.update(words)
    return together


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"written twice: {sorted({key for key in keys if keys.count(key) > 1})}"
    return dict(pairs)


def keys_asked_for(text: str) -> set[str]:
    """Keys in `text`; one that is put together, such as `state.${state}`, is given as `state.*`."""
    text = _COMMENT.sub("", text)
    found = set(_ATTRIBUTE.findall(text))
    for call in _CALL.finditer(text):
        for plain, template in _TEXT.findall(_first_argument(text, call.end())):
            if plain or template:
                found.add(plain or re.sub(r"\$\{[^}]*\}", "*", template))
    return {re.sub(r"\$\{[^}]*\}", "*", key) for key in found}


def _first_argument(text: str, start: int) -> str:
    """The text from `start` up to the comma or bracket that ends the first argument."""
    depth = 0
    for end in range(start, len(text)):
        if text[end] in "([{":
            depth += 1
        elif text[end] in ")]}" and depth:
            depth -= 1
        elif depth == 0 and text[end] in ",)":
            return text[start:end]
    return text[start:]


def _is_a_key(key: str) -> bool:
    """A condition's own strings, such as \"up\", are not keys: keys have a dot."""
    return "." in key or "*" in key


@pytest.mark.parametrize("folder", [SHARED, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_both_languages_say_the_same_things(folder: Path) -> None:
    strings = strings_of(folder)
    assert set(strings) == LANGUAGES
    english, chinese = strings["en"], strings["zh-CN"]
    assert set(english) == set(chinese)
    for key, text in english.items():
        assert text.strip(), f"{key} is empty in English"
        assert chinese[key].strip(), f"{key} is empty in Chinese"
        assert set(_VALUES.findall(chinese[key])) <= set(_VALUES.findall(text)), f"{key} names other values in Chinese"


@pytest.mark.parametrize("folder", [SHARED, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_word_asked_for_exists(folder: Path) -> None:
    known = {**strings_of(SHARED)["en"], **strings_of(folder)["en"]}
    missing = []
    for path in sorted([*folder.rglob("*.js"), *folder.rglob("*.html")]):
        for key in filter(_is_a_key, keys_asked_for(path.read_text(encoding="utf-8"))):
            pattern = re.compile(re.escape(key).replace(r"\*", ".+"))
            if not any(pattern.fullmatch(name) for name in known):
                missing.append(f"{path.relative_to(ROOT)}: {key}")
    assert missing == []


@pytest.mark.parametrize("folder", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_no_inline_script_or_style(folder: Path) -> None:
    for path in folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text), path.name


def test_the_reader_of_keys_finds_what_pages_write() -> None:
    source = 't(ok ? "a.yes" : "a.no", { n }) + t(`state.${x}`); h("p", { "data-t": "b.c" }); last("d.e"); <i data-t-title="f.g">'
    assert keys_asked_for(source) == {"a.yes", "a.no", "state.*", "b.c", "f.g"}
