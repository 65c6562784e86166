export default {
  "en": {
    "alarm.one.critical": "Critical flag",
    "alarm.one.warning": "Warning",
    "alarm.many": "{n} new flags",
    "alarm.more": "and {n} more",
    "alarm.test.title": "This is a test",
    "alarm.test.body": "Notifications of critical flags will look like this.",
    "alarm.blocked.hall": "Sound is switched on, but this browser plays none until somebody touches the page; start it so that it may play by itself"
  },
  "zh-CN": {
    "alarm.one.critical": "严重预警",
    "alarm.one.warning": "警告",
    "alarm.many": "{n} 条新预警",
    "alarm.more": "还有 {n} 条",
    "alarm.test.title": "这是一次测试",
    "alarm.test.body": "严重预警的桌面通知就是这个样子。",
    "alarm.blocked.hall": "声音已开启，但浏览器要等有人操作页面后才会播放；请以允许自动播放的方式启动浏览器"
  }
}
