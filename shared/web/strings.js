export default {
  "en": {
    "product": "Floorwatch",
    "page.monitor": "Wallboard",
    "page.transfers": "Transfers",
    "page.listen": "Listen",
    "page.ingest": "Connections",
    "page.alerts": "Incidents",
    "nav.pages": "Pages",
    "nav.skip": "Skip to the content",
    "who.is": "{name}: account and signing out",
    "who.sees": "{name}: account and signing out. Sees {what}",
    "sees.sites": "{n|site|sites} {names}",
    "sees.teams": "{n|team|teams} {names}",
    "sees.queues": "{n|queue|queues} {names}",

    "severity.critical": "Critical",
    "severity.warning": "Warning",
    "severity.info": "Info",

    "connection.connecting": "Connecting",
    "connection.live": "Live",
    "connection.lost": "Disconnected",
    "connection.refused": "Refused",
    "connection.label": "Connection to the server",

    "mark.simulated": "SIMULATED",
    "mark.simulated.hint": "These calls and agents are invented. Nobody is on the phone.",
    "mark.replay": "REPLAY",
    "mark.replay.hint": "A recorded stretch of time is being played back. This is not happening now.",

    "theme.label": "Theme",
    "theme.system": "Theme: as the system",
    "theme.dark": "Theme: dark",
    "theme.light": "Theme: light",
    "language.label": "Language",

    "action.close": "Close"
  },
  "zh-CN": {
    "product": "Floorwatch",
    "page.monitor": "现场看板",
    "page.transfers": "转接台",
    "page.listen": "监听",
    "page.ingest": "接入",
    "page.alerts": "突发事件",
    "nav.pages": "页面",
    "nav.skip": "跳到正文",
    "who.is": "{name}：账户与退出登录",
    "who.sees": "{name}：账户与退出登录。可查看：{what}",
    "sees.sites": "职场 {names}",
    "sees.teams": "班组 {names}",
    "sees.queues": "队列 {names}",

    "severity.critical": "严重",
    "severity.warning": "警告",
    "severity.info": "提示",

    "connection.connecting": "正在连接",
    "connection.live": "实时",
    "connection.lost": "已断开",
    "connection.refused": "被拒绝",
    "connection.label": "与服务器的连接",

    "mark.simulated": "模拟数据",
    "mark.simulated.hint": "这些来电和坐席都是模拟的，没有真人在通话。",
    "mark.replay": "回放",
    "mark.replay.hint": "正在回放一段录制的时间，并非此刻发生。",

    "theme.label": "主题",
    "theme.system": "主题：跟随系统",
    "theme.dark": "主题：深色",
    "theme.light": "主题：浅色",
    "language.label": "语言",

    "action.close": "关闭"
  }
}
