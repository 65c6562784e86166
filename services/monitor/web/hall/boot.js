/* Classic script, before anything is painted: a hall's screen is dark unless its address says otherwise, whatever this
   browser's own pages are set to. */
(function () {
  var theme = new URLSearchParams(location.search).get("theme");
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme === "light" ? "light" : "dark";
})();
