// What was sent lately: each message with what it was about, and every attempt with its answer.

import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { reasonText } from "../detail/entries.js";
import { sentView } from "../detail/notifications.js";
import { PAGE, Paged } from "../paged.js";
import { listNotifications } from "../reports/asking.js";

const STATES = ["", "waiting", "sent", "failed", "withheld"];

export class Messages extends Paged {
  constructor() {
    super();
    this.state = "";
    this.filter = h("div", { class: "segments", role: "group" });
  }

  async ask(cursor) {
    const page = await listNotifications({ state: this.state, limit: PAGE, cursor });
    return { rows: page.notifications, next: page.next_cursor };
  }

  draw() {
    this.filter.setAttribute("aria-label", t("messages.state"));
    fill(
      this.filter,
      STATES.map((state) =>
        h("button", {
          type: "button",
          "aria-pressed": String(state === this.state),
          text: t(state ? `sent.${state}` : "messages.all"),
          on: {
            click: () => {
              this.state = state;
              this.refresh();
            },
          },
        }),
      ),
    );
    setText(this.more, t("messages.more"));
    setHidden(this.more, !this.cursor);
    if (this.failure) return fill(this.body, h("div", { class: "empty" }, icon("stale"), h("p", { text: t(this.failure.status === 403 ? "receivers.forbidden" : "messages.away") })));
    if (!this.rows.length) return fill(this.body, h("p", { class: "empty", text: t(this.asked ? "messages.none" : "receivers.loading") }));
    fill(this.body, h("ul", { class: "sent messages" }, this.rows.map((one) => h("li", {}, about(one), sentView({ ...one, reason: "" })))));
  }
}

/** Which incidents it was about and why, or what it was. */
function about({ kind, title, about: incidents, notifications }) {
  const more = notifications - incidents.length;
  return h(
    "div",
    { class: "row message-about" },
    kind !== "single" && h("span", { class: "badge", text: t(`messages.kind.${kind}`) }),
    incidents.map((one) => h("span", { class: "nowrap" }, h("a", { href: `/#incident=${one.number}`, text: `#${one.number}` }), h("span", { class: "muted", text: ` ${reasonText(one.reason)}` }))),
    incidents.length > 0 && more > 0 && h("span", { class: "muted", text: t("affected.more", { n: more }) }),
    h("span", { class: "truncate", text: title }),
  );
}
