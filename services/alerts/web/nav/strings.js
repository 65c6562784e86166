export default {
  "en": {
    "subnav.label": "Pages about incidents",
    "subnav.incidents": "Incidents",
    "subnav.silences": "Silences",
    "subnav.reports": "Reports",
    "subnav.notifications": "Notifications"
  },
  "zh-CN": {
    "subnav.label": "突发事件页面",
    "subnav.incidents": "事件",
    "subnav.silences": "静默与维护",
    "subnav.reports": "报告",
    "subnav.notifications": "通知"
  }
}
