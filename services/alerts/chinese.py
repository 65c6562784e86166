"""What this service refuses or warns of, in Chinese: by the English sentence, as gettext does it.

Errors are written in English where they arise, with file, line and key: that is what logs and commands say. Pages ask for the
sentence in the reader's language. One that is not in the table stays English; a test looks for such.
"""

from __future__ import annotations

import functools
import re
from itertools import islice
from typing import Any, Final

LONGEST: Final = 1000  # characters; looking through more takes too long, and whoever is refused chooses how many
_PLACES: Final = 8  # at which one may begin: behind a path, a line and a key
NO_LABEL: Final = "{0} 不是标签名：只能用小写字母、数字和 _"
THERE_ARE: Final = "没有 {0}；可选：{1}"

# `{}` stands for what differs; `{0}`, `{1}` for it in order
TABLE: Final[dict[str, str]] = {
    # the file as such
    "cannot be read: {}; {} says where it is": "无法读取：{0}；其位置由 {1} 指定",
    "cannot be read: {}": "无法读取：{0}",
    "{} cannot be read: {}": "{0} 无法读取：{1}",
    "is not UTF-8 text; save the file as UTF-8": "不是 UTF-8 文本，请以 UTF-8 保存文件",
    "not YAML: {}; is it indented as the lines above it?": "不是有效的 YAML：{0}；缩进是否与上面的行一致？",
    "not YAML: {}; indent with blanks": "不是有效的 YAML：{0}；请用空格缩进",
    "not YAML: the character {} may not be in it": "不是有效的 YAML：不允许出现字符 {0}",
    "not YAML: nested too deeply": "不是有效的 YAML：嵌套过深",
    "not YAML: {}": "不是有效的 YAML：{0}",
    "cannot be used: {} is there twice": "无法使用：{0} 重复出现",
    "cannot be used: a key must be plain text": "无法使用：键必须是纯文本",
    "cannot be used: {}": "无法使用：{0}",
    "expected {}, got {}": "应为{0}，实为{1}",
    "there is no key `{}`": "没有 `{0}` 这个键",
    "this key is missing: `{}`": "缺少键 `{0}`",
    "invalid enum value {}; allowed: {}": "没有 {0} 这个值；可选：{1}",
    # values
    'expected a duration such as "7s", "1.5m" or "2h", got {}': "应为时长，例如“7s”“1.5m”或“2h”，实为 {0}",
    'expected hours such as "08:00-20:00", got {}': "应为时段，例如“08:00-20:00”，实为 {0}",
    'expected days such as "400d", or never, got {}': "应为天数，例如“400d”，或 never，实为 {0}",
    'expected a time of day such as "03:30", got {}': "应为一天中的时刻，例如“03:30”，实为 {0}",
    'expected a time such as "07:30", got {}': "应为时刻，例如“07:30”，实为 {0}",
    "there is no such time of day: {}": "没有这个时刻：{0}",
    "{} is not an IANA time zone": "{0} 不是 IANA 时区",
    "expected longer than nothing": "应大于 0",
    "expected at least 1": "至少为 1",
    "expected at least 1, got {}": "至少为 1，实为 {0}",
    "expected {} s at least: {}, got {}": "至少为 {0} 秒（没有事件的站点每秒仍有数据，监控服务每 5 秒报告一次进度），实为 {2}",
    "expected at least a day, 1d": "至少为一天，即 1d",
    "expected an address that begins with https:// or http://": "应为以 https:// 或 http:// 开头的地址",
    "the environment has no variable {}": "环境中没有变量 {0}",
    "{} and {} are both set: one of them is enough": "{0} 和 {1} 都已设置，只需其一",
    "{} is empty: nothing would be signed": "{0} 为空，消息将无法签名",
    "expected at least one of html, pdf, xlsx, csv, json": "至少要有 html、pdf、xlsx、csv、json 之一",
    "there is no such group; there are {}, at, time_zone": "没有这个分组；可选：{0}、at、time_zone",
    # receivers, routes, schedules
    "there is no receiver {}; there are: {}": "没有接收方 {0}；已有：{1}",
    "there is no receiver {}": "没有接收方 {0}",
    "expected at least one receiver": "至少要有一个接收方",
    "{} would fall over to itself in the end": "{0} 最终会转回自身",
    "{} is there twice": "{0} 重复出现",
    "{} ({}://...) is not a notification URL; examples: {}": "{0}（{1}://...）不是通知 URL；例如：{2}",
    "the first route takes everything, at any hour; match below it": "第一条路由始终接收全部事件，条件请写在其下级路由中",
    "expected a receiver for what no route below takes": "需要一个接收方来接收下级路由都不匹配的事件",
    "routes nest at most {} deep": "路由最多嵌套 {0} 层",
    "there is no schedule {}": "没有值班表 {0}",
    "expected longer than the step before it, and than nothing": "应晚于前一步，且大于 0",
    "expected at least one; without any nobody is ever on duty": "至少要有一个，否则永远无人值班",
    "there is no day {}; there are {}": THERE_ARE,
    "expected at least one label, such as queue": "至少要有一个标签，例如 queue",
    "expected after, a time, or flags, a number": "应写明 after（时长）或 flags（数量）",
    "expected at least one label; everything would hide everything": "至少要有一个标签，否则所有事件会互相隐藏",
    # labels
    "{} is not a label: expected small letters, digits and _": NO_LABEL,
    "expected at least one value": "至少要有一个值",
    "expected all values with ! or none of them, got {}": "各值应全部带 ! 或全部不带，实为 {0}",
    "{} is too long, or has more than {} stars": "{0} 过长，或超过 {1} 个星号",
    "longer than {} characters": "超过 {0} 个字符",
    "there is no {}; there are {}": THERE_ARE,
    # what is hardly meant
    "no route and no step names it, so nobody is told through it": "没有任何路由或升级步骤用到它，不会有人通过它收到通知",
    "has no channel: whoever is told through it hears nothing": "没有渠道：通过它通知的人收不到任何消息",
    "no route names it": "没有任何路由用到它",
    "there is no route after it that could be taken, too": "其后没有可以继续匹配的路由",
    "is never taken: nothing fits all of its conditions and those above it": "永远不会匹配：没有事件能满足它和上级的全部条件",
    "is never taken: {} before it takes all of it": "永远不会匹配：排在前面的 {0} 已接收全部",
    "has no effect: nothing is less severe than {}": "不起作用：没有比 {0} 更低的级别",
    "has no effect: nothing fits all of its conditions": "不起作用：没有事件能满足它的全部条件",
    "is {} meant? No label of ours has this name": "是否想写 {0}？系统没有这个名称的标签",
    # silences
    "a silence needs at least one matcher; without any it would silence everything": "静默至少要有一个条件，否则会静默全部事件",
    "these matchers fit everything; name a site, a rule or another label": "这些条件匹配全部事件，请指定职场、规则或其他标签",
    "it would end before it begins": "结束时间早于开始时间",
    "its end is over already": "结束时间已过",
    "at most {} days at a time; for longer change a route": "一次最多 {0} 天；更长请修改路由",
    "it is over since {}": "已于 {0} 结束",
    "give either `ends` or `duration_s`": "`ends` 和 `duration_s` 请填其一",
    "{} {} is beyond what you see: {}": "{0} {1} 超出您可见的范围：{2}",
    "silence {} also holds what you do not see; somebody who sees all of it may end it": (
        "静默 {0} 还包含您看不到的内容，可由能看到全部的人结束"
    ),
    # what is not there, and what cannot be
    "there is no incident {}": "没有事件 {0}",
    "there is no silence {}": "没有静默 {0}",
    "there is no site {}": "没有职场 {0}",
    "at: expected a time from {} to {}": "at：应为 {0} 至 {1} 年之间的时间",
}
_WORDS: Final = {
    "a text": "文本",
    "a list": "列表",
    "a number": "数字",
    "a whole number": "整数",
    "keys with values": "键值",
    "true or false": "true 或 false",
    "nothing": "空",
    "a text or a list": "文本或列表",
    "a text or keys with values": "文本或键值",
    "none": "无",
}


def in_chinese(english: str) -> str | None:
    """The sentence in Chinese, with what stands before it (`file:line: key`) as it is.

    None when the table has it not, and for more than LONGEST."""
    if len(english) > LONGEST:
        return None
    starts = [0, *(place.end() for place in islice(re.finditer(": ", english), _PLACES))]
    found = [(*match, start) for start in starts if (match := _translated(english[start:])) is not None]
    if not found:
        return None
    # what says most is meant; of equal ones the shortest, for what stands before it may look like a part of it
    _, chinese, start = max(found, key=lambda one: (one[0], one[2]))
    before = english[:start].removesuffix(": ")
    return f"{before}：{chinese}" if before else chinese


def also_in_chinese(detail: str) -> dict[str, Any]:
    """The member of a problem document that pages show to Chinese readers instead of `detail`."""
    found = in_chinese(detail)
    return {} if found is None else {"detail_zh": found}


def _translated(english: str) -> tuple[int, str] | None:
    """In Chinese, with how many letters of it are the sentence's own."""
    for weight, pattern, chinese in _patterns():
        if (found := pattern.fullmatch(english)) is not None:
            return weight, chinese.format(*(_WORDS.get(part, part) for part in found.groups()))
    return None


@functools.cache
def _patterns() -> list[tuple[int, re.Pattern[str], str]]:
    """What says most by itself first: of `not YAML: {}` and `not YAML: nested too deeply` the latter."""
    weighed = ((english.split("{}"), chinese) for english, chinese in TABLE.items())
    found = [
        (sum(len(part.strip()) for part in parts), re.compile("(.+?)".join(map(re.escape, parts)), re.S), chinese)
        for parts, chinese in weighed
    ]
    return sorted(found, key=lambda one: -one[0])
