/* Classic script, loaded in <head> before anything is painted, so that a chosen theme and language do not flash. */
(function () {
  try {
    var theme = localStorage.getItem("floorwatch.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    var asked = new URLSearchParams(location.search).get("lang");
    var language = asked || localStorage.getItem("floorwatch.lang") || navigator.language || "en";
    document.documentElement.lang = /^zh/i.test(language) ? "zh-CN" : "en";
  } catch (error) {
    /* storage is blocked: the system's theme and the browser's language, set later by i18n.js, will do */
  }
})();
