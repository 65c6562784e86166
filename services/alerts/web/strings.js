export default {
  "en": {
    "alerts.title": "Incidents · Floorwatch",

    "col.severity": "Severity",
    "col.number": "No.",
    "col.state": "State",

    "view.unresolved": "Unresolved",
    "view.resolved": "Resolved",
    "view.all": "All",
    "view.label": "Which incidents",

    "incident.open": "Open",
    "incident.acknowledged": "Acknowledged",
    "incident.resolved": "Resolved",
    "incident.by": "{who}",
    "incident.flags": "{n} {n|flag|flags}",

    "condition.active": "Still holds",
    "condition.ended": "Ended",
    "condition.ended.after": "Ended after {duration}",
    "condition.ended.hint": "Ended at {time} by the switch's clock",
    "condition.unknown": "Not known",

    "empty.none": "No open incidents",
    "empty.none.hint": "Flags are being read. A new incident appears here by itself.",
    "empty.filter": "Nothing fits these filters",
    "empty.loading": "Loading",

    "nodata.title": "No data: not connected to Kafka since {time}",
    "nodata.title.never": "No data yet: not connected to Kafka, tried since {time}",
    "away.title": "The incident service has not answered since {time}",
    "away.empty": "Whether there are incidents is not known at the moment.",
    "away.hint": "What is listed here is from then; it goes on by itself once the service is back. The wallboard does not depend on it.",
    "nodata.hint": "What is listed here is from before. It goes on by itself when the connection is back.",

    "nochannel.title": "Nobody is notified",
    "nochannel.hint": "No channel is configured, so incidents are only on this page. Set ALERTS_NOTIFY_URLS to change that.",

    "failed.title": "That did not work",

    "act.acknowledge": "Acknowledge",
    "act.acknowledge.as": "Acknowledge as {name}"
  },
  "zh-CN": {
    "alerts.title": "突发事件 · Floorwatch",

    "col.severity": "级别",
    "col.number": "编号",
    "col.state": "状态",

    "view.unresolved": "未解决",
    "view.resolved": "已解决",
    "view.all": "全部",
    "view.label": "显示哪些事件",

    "incident.open": "待处理",
    "incident.acknowledged": "已认领",
    "incident.resolved": "已解决",
    "incident.by": "{who}",
    "incident.flags": "{n} 条预警",

    "condition.active": "仍在持续",
    "condition.ended": "已结束",
    "condition.ended.after": "持续 {duration} 后结束",
    "condition.ended.hint": "按交换机时钟于 {time} 结束",
    "condition.unknown": "未知",

    "empty.none": "没有未解决的事件",
    "empty.none.hint": "正在接收预警，新事件会自动出现在这里。",
    "empty.filter": "没有符合筛选条件的事件",
    "empty.loading": "正在加载",

    "nodata.title": "无数据：自 {time} 起与 Kafka 断开",
    "nodata.title.never": "尚无数据：自 {time} 起尝试连接 Kafka，未成功",
    "away.title": "事件服务自 {time} 起没有响应",
    "away.empty": "目前无法得知是否有事件。",
    "away.hint": "此处列出的是当时的内容，服务恢复后会自动继续。现场看板不受影响。",
    "nodata.hint": "此处列出的是断开之前的内容，连接恢复后会自动继续。",

    "nochannel.title": "目前不会通知任何人",
    "nochannel.hint": "未配置通知渠道，事件只显示在本页。可通过 ALERTS_NOTIFY_URLS 设置。",

    "failed.title": "操作未成功",

    "act.acknowledge": "认领",
    "act.acknowledge.as": "以 {name} 的名义认领"
  }
}
