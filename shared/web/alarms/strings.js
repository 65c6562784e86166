export default {
  "en": {
    "alarm.blocked": "Sound waits for a click",
    "alarm.blocked.hint": "This browser plays sounds only after somebody has touched the page. Click anywhere."
  },
  "zh-CN": {
    "alarm.blocked": "点击页面后才有声音",
    "alarm.blocked.hint": "浏览器只有在有人操作页面之后才播放声音，点击任意处即可。"
  }
}
