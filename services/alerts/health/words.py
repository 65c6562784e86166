"""What people are told of a site's trouble, in both languages: the flags that the alerts service raises by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from services.alerts.core.commonsilence import ALL, MANY
from services.alerts.core.incident import Flag
from services.alerts.core.own import OURSELVES, own_flag
from services.alerts.core.sitehealth import BEHIND, LETTERS, SILENT, Trouble
from shared.codewords import Language, in_a_sentence
from shared.durationwords import exact
from shared.facts import Severity

MOST_NAMED: Final = 5  # sites, one by one


def flag_of(trouble: Trouble, label_of: Callable[[str], str], heard: str) -> Flag:
    """`label_of`: a site's name for people, "" for none; `heard`: when it was heard last, in its own time."""
    severity, english, chinese = _SAID[_kind(trouble)]
    evidence = trouble.evidence
    names = [label_of(site) or site for site in evidence.get("sites", ())]
    values = {
        "site": label_of(trouble.site) or trouble.site,
        "heard": heard,
        "silent": evidence.get("silent", 0),
        "expected": evidence.get("expected", 0),
        "count": evidence.get("count", 0),
    }
    says = {
        "en": {"reasons": _reasons(evidence, "en"), "sites": _some(names, ", ", " and {} more")},
        "zh": {"reasons": _reasons(evidence, "zh"), "sites": _some(names, "、", "等，另有 {} 个")},
    }
    labels = {"reason": next(iter(evidence["reasons"]), "")} if "reasons" in evidence else {}
    return own_flag(
        trouble.rule,
        site=trouble.site,
        severity=severity,
        started=trouble.started,
        raised=trouble.raised,
        summary_en=english.format(**values, **_times(evidence, "en"), **says["en"]),
        summary_zh=chinese.format(**values, **_times(evidence, "zh"), **says["zh"]),
        labels=labels,
        evidence=evidence,
    )


def _kind(trouble: Trouble) -> str:
    if trouble.rule == SILENT and trouble.evidence.get("never_heard"):
        return "never"
    return "letters_of_none" if trouble.rule == LETTERS and trouble.site == OURSELVES else trouble.rule


_SAID: dict[str, tuple[Severity, str, str]] = {
    SILENT: (
        "critical",
        "{site}: nothing has been heard since {heard}; its boards show what was before",
        "{site}：自 {heard} 起未收到任何数据，看板显示的是此前的情况",
    ),
    "never": (
        "warning",
        "{site}: is in the sites file and was never heard; is its connector set up?",
        "{site}：已在站点文件中配置，但从未收到数据，请检查其连接器",
    ),
    ALL: (
        "critical",
        "Nothing has been heard of any of the {expected} sites since {heard}; is ingest running? Sites: {sites}",
        "自 {heard} 起，全部 {expected} 个职场均未收到任何数据，请检查接入服务（ingest）是否运行。职场：{sites}",
    ),
    MANY: (
        "critical",
        "{silent} of {expected} sites fell silent together and have not been heard since {heard}: {sites}",
        "{expected} 个职场中有 {silent} 个同时中断，自 {heard} 起未收到任何数据：{sites}",
    ),
    BEHIND: (
        "critical",
        "{site}: the monitor is more than {limit} behind; boards and flags are late",
        "{site}：监控服务滞后超过 {limit}，看板和预警延迟",
    ),
    LETTERS: (
        "warning",
        "{site}: {count} records within {within} could not be read ({reasons})",
        "{site}：{within}内有 {count} 条记录无法读取（{reasons}）",
    ),
    "letters_of_none": (
        "warning",
        "{count} records of no known site within {within} could not be read ({reasons})",
        "{within}内有 {count} 条不属于任何已知站点的记录无法读取（{reasons}）",
    ),
}


def _reasons(evidence: Mapping[str, Any], language: Language) -> str:
    """Why records could not be read, the most frequent first."""
    return ("、" if language == "zh" else ", ").join(
        in_a_sentence("refusal", code, language) for code in evidence.get("reasons", {})
    )


def _some(names: Sequence[str], comma: str, more: str) -> str:
    left = len(names) - MOST_NAMED
    return comma.join(names[:MOST_NAMED]) + (more.format(left) if left > 0 else "")


def _times(evidence: Mapping[str, Any], language: Language) -> dict[str, str]:
    found = {
        "limit": float(evidence.get("silent_after_s", evidence.get("limit_s", 0))),
        "within": float(evidence.get("within_s", 0)),
    }
    return {name: exact(value, language) for name, value in found.items()}
