"""The same totals in every format of a report; names of others do no harm in any of them; what is not known is not 0."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import zipfile
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from services.alerts.cleaning import clean
from services.alerts.pdf import NoPango
from services.alerts.periodic import charts, formats, html
from services.alerts.periodic.building import build
from services.alerts.periodic.csvfiles import neutral
from services.alerts.periodic.document import Document
from services.alerts.periodic.material import Material
from services.alerts.periodic.period import KINDS, Language
from services.alerts.periodic.writing import words
from services.alerts.recorder import figures as f
from tests import reportkit as kit

HOSTILE = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.example","pay")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "\u202eevil\u202c‮ gnp",
    "ש" * 40 + " שלום",
    "王" * 3000,
    "a\x00b\x07c\ud800",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    " \t=1+1",
)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def document(language: Language = "en", **more: Any) -> Document:
    return build(kit.material(**more), language)


def content(found: Document, form: formats.Format) -> bytes:
    return formats.write_now(found, form).content


def csv_of(found: Document) -> dict[str, list[list[str]]]:
    with zipfile.ZipFile(io.BytesIO(content(found, "csv"))) as archive:
        read = {one.filename.rpartition("/")[2][:-4]: archive.read(one) for one in archive.infolist()}
    assert all(data.startswith(b"\xef\xbb\xbf") for data in read.values())
    return {name: list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))) for name, data in read.items()}


class Workbook:
    """Cells of every sheet by its name, as Excel would read them."""

    def __init__(self, data: bytes) -> None:
        self.archive = zipfile.ZipFile(io.BytesIO(data))
        self.parts = {name: self.archive.read(name).decode() for name in self.archive.namelist()}
        shared = ElementTree.fromstring(self.parts["xl/sharedStrings.xml"])
        self.texts = ["".join(one.itertext()) for one in shared]
        book = ElementTree.fromstring(self.parts["xl/workbook.xml"])
        self.names = [one.attrib["name"] for one in book.iter(f"{SHEET}sheet")]

    def rows(self, name: str) -> list[list[Any]]:
        sheet = ElementTree.fromstring(self.parts[f"xl/worksheets/sheet{self.names.index(name) + 1}.xml"])
        return [[self._value(cell) for cell in row] for row in sheet.iter(f"{SHEET}row")]

    def _value(self, cell: ElementTree.Element) -> Any:
        value = cell.findtext(f"{SHEET}v")
        if value is None:
            return None
        return self.texts[int(value)] if cell.attrib.get("t") == "s" else float(value)


class Page(HTMLParser):
    """Tags, addresses and table cells of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.addresses, self.rows, self.alts = set[str](), list[str](), list[list[str]](), list[str]()
        self.handlers = list[str]()
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.handlers += [name for name in values if name.startswith("on") or name == "style"]
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "img":
            self.alts.append(values["alt"] or "")  # each picture has one, also an empty one
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def test_the_same_totals_stand_in_every_format() -> None:
    material = kit.material()
    total, crew = material.figures.total.total, material.figures.crew
    assert crew is not None
    found = build(material, "en")
    read = json.loads(content(found, "json"))
    queues = read["tables"]["queues"]
    assert queues["total"]["offered"] == total.offered == sum(row["offered"] for row in queues["rows"])
    assert read["tables"]["agents"]["total"]["talk_s"] == crew.state_s["talk"]
    assert read["figures"]["offered"] == total.offered
    assert sum(row["offered"] for row in read["tables"]["intervals"]["rows"]) == total.offered

    table = csv_of(found)["queues"]
    last = dict(zip(table[0], table[-1], strict=True))
    assert (last["Offered"], last["Answered"], last["Gave up"]) == tuple(
        str(one) for one in (total.offered, total.answered, total.abandoned)
    )
    assert float(last["ASA"]) == pytest.approx(total.asa_s, abs=1e-5)

    book = Workbook(content(found, "xlsx"))
    rows = book.rows("Queues in the period")
    wanted = dict(zip(rows[0], rows[-1], strict=True))
    assert (wanted["Offered"], wanted["Answered"]) == (total.offered, total.answered)
    assert wanted["ASA"] * 86_400 == pytest.approx(total.asa_s)
    agents = book.rows("How agents' time was spent")
    assert dict(zip(agents[0], agents[-1], strict=True))["Talk"] * 86_400 == pytest.approx(crew.state_s["talk"])

    shown = [row for row in Page(content(found, "html").decode()).rows if row and row[0] == "All"]
    assert f"{total.offered:,}" in shown[0]
    assert f"{total.answered:,}" in shown[0]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_in_both_languages(kind: Any, language: Language) -> None:
    period = kit.period_of(kind)
    found = build(kit.material(period, agents=3, queues=2), language)
    assert found.title == words(language)[f"title.{kind}"]
    page = Page(content(found, "html").decode())
    assert page.handlers == []
    assert {"script", "link", "iframe", "style"} & page.tags == {"style"}
    assert all(one.startswith("data:image/svg+xml;base64,") for one in page.addresses)
    assert {one.id for one in found.tables} <= set(csv_of(found))
    assert found.name in formats.write_now(found, "json").name


def test_names_of_others_do_no_harm_in_any_format() -> None:
    material = kit.material(names=HOSTILE, labels=HOSTILE, agents=len(HOSTILE), queues=len(HOSTILE), label=HOSTILE[0])
    follow = msgspec.structs.replace(kit.FOLLOWUPS[0], text=HOSTILE[1], owner=HOSTILE[5])
    found = build(msgspec.structs.replace(material, followups=(follow,)), "en")

    page = content(found, "html").decode()
    read = Page(page)
    assert "script" not in read.tags
    assert read.handlers == []
    assert all(one.startswith("data:") for one in read.addresses)
    assert "49" not in {row[0] for row in read.rows if row}

    with zipfile.ZipFile(io.BytesIO(content(found, "csv"))) as archive:
        assert all(re.fullmatch(r"daily-hq-2026-11-22-en/\w+\.csv", name) for name in archive.namelist())
    texts = [cell for rows in csv_of(found).values() for row in rows for cell in row]
    harmful = [one for one in texts if one.lstrip(" '\"").startswith(("=", "+", "-", "@")) and not one.startswith("'")]
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", one) for one in harmful)  # numbers, which are ours

    book = Workbook(content(found, "xlsx"))
    sheets = [text for name, text in book.parts.items() if name.startswith("xl/worksheets/sheet")]
    assert not any("<f>" in text or "<hyperlink" in text for text in sheets)
    assert clean(HOSTILE[1]) in book.texts  # as it was written, as text
    for name, text in book.parts.items():
        if name.endswith((".xml", ".rels")):
            ElementTree.fromstring(text)
    json.loads(content(found, "json"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_becomes_one_line_that_can_be_shown(text: str) -> None:
    found = clean(text)
    assert len(found) <= 200
    assert not re.search("[\x00-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", found)
    assert clean(found) == found
    ElementTree.fromstring(charts.bars([text], [charts.Series(text, "#000000", [1.0])], str))


def test_a_text_that_a_spreadsheet_would_run_is_written_as_text() -> None:
    assert neutral("=1+1") == "'=1+1"
    assert neutral(" \t@SUM(A1)") == "'@SUM(A1)"
    assert neutral("'=1") == "''=1"
    assert neutral("Anna-Marie") == "Anna-Marie"


def test_a_period_without_records_says_so_and_shows_no_zero() -> None:
    for language in ("en", "zh"):
        found = build(Material(kit.nothing(), None), language)
        assert found.notices[0] == words(language)["notice.nothing"]
        assert all(tile.value is None for tile in found.tiles)
        assert [one.text for one in found.summary] == [words(language)["summary.nothing"]]
        for form in ("html", "xlsx", "csv", "json"):
            assert content(found, form)
    assert not re.search(r">\s*0\s*<", content(found, "html").decode())


def test_the_head_says_what_is_missing_simulated_or_not_over() -> None:
    now = kit.figures()
    gap = f.Gap(started_at=now.start, ended_at=now.start + timedelta(hours=3))
    part = f.Coverage(
        intervals=96, recorded=84, share=84 / 96, first=gap.ended_at, last=now.end, gaps=(gap,), gap_count=1
    )
    torn = msgspec.structs.replace(now, coverage=part, origin="simulated")
    said = " ".join(build(Material(torn, kit.figures(kit.period_of().before())), "en").notices)
    assert "SIMULATED" in said
    assert "87.5 %" in said
    assert "3 h" in said
    running = msgspec.structs.replace(now, over=False, as_of=now.start + timedelta(hours=10))
    found = build(Material(running, kit.figures(kit.period_of().before())), "en")
    assert "still running" in found.notices[0]
    assert not any("day before" in one.text for one in found.summary)  # a part is not compared with a whole


def test_changes_are_said_with_both_numbers_and_only_where_both_are_known() -> None:
    material = kit.material()
    now, was = material.figures.total.total.offered, material.before.total.total.offered  # type: ignore[union-attr]
    said = " ".join(one.text for one in build(material, "en").summary)
    assert f"{now:,} calls arrived" in said
    assert f"the day before ({was:,})" in said
    alone = build(Material(material.figures, kit.nothing(kit.period_of().before())), "en")
    assert "the day before" not in " ".join(one.text for one in alone.summary)
    assert any("nothing is recorded" in one for one in alone.notices)
    assert all(tile.change == "" for tile in alone.tiles)


def test_both_languages_have_every_word_with_the_same_places() -> None:
    en, zh = words("en"), words("zh")
    assert en.keys() == zh.keys()
    places = {key: (set(re.findall(r"{(\w+)}", en[key])), set(re.findall(r"{(\w+)}", zh[key]))) for key in en}
    assert {key for key, (one, other) in places.items() if not other <= one} == set()


def test_the_style_of_the_page_is_the_one_that_its_policy_allows() -> None:
    page = content(document(), "html").decode()
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    digest = hashlib.sha256(style[1].encode()).digest()
    assert base64.b64encode(digest).decode() in html.CONTENT_SECURITY_POLICY


def test_a_pdf_has_pages() -> None:
    try:
        made = content(document("zh", agents=3, queues=2), "pdf")
    except NoPango as exc:
        pytest.skip(str(exc))
    assert made.startswith(b"%PDF")
    assert made.rstrip().endswith(b"%%EOF")
    assert len(made) > 20_000  # with the glyphs that it needs
