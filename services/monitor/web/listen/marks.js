// Notices what happens in the call that sounds and marks it: hold, transfer, flags. What was so already when it began is no news.

import { t } from "/static/shared/i18n.js";
import { isRunning } from "../transferfacts.js";

export class MarkWatch {
  constructor(board) {
    Object.assign(this, { board, callKey: "", was: null });
  }

  /** Look at the call of `item`, which sounds; null: nothing does. */
  look(item) {
    const key = item?.callKey ?? "";
    const call = this.board.store.calls.get(key);
    if (!call) {
      this.callKey = "";
      return;
    }
    const is = this.#stateOf(key, call);
    const { was } = this;
    const same = this.callKey === key && this.item === item;
    Object.assign(this, { callKey: key, was: is, item });
    if (!same) return;
    const add = (kind, label) => item.mark({ at: Date.now(), kind, label });
    if (is.held && !was.held) add("hold", t("listen.mark.hold"));
    if (!is.held && was.held) add("retrieve", t("listen.mark.retrieve"));
    if (is.transfer && is.transfer !== was.transfer) add("transfer", t("listen.mark.transfer"));
    if (!is.transfer && was.transfer) add("transfer", t("listen.mark.transfer.over"));
    for (const [id, summary] of is.flags) if (!was.flags.has(id)) add("flag", summary);
  }

  #stateOf(key, call) {
    const { board } = this;
    const { site, call_id: id } = call;
    const held = call.legs.some((leg) => leg.state === "held") && !call.legs.some((leg) => leg.state === "talking" && leg.role === "agent");
    const transfer = [...board.store.runningTransfers].find(([, one]) => one.site === site && one.call_id === id && isRunning(one))?.[0] ?? "";
    const agents = new Set(call.legs.map((leg) => leg.agent_id));
    const concerns = ({ subject, subject_id: about, labels }) => (subject === "call" && about === id) || labels.call === id || (subject === "agent" && agents.has(about)) || (subject === "transfer" && `${site}/${about}` === transfer);
    const flags = [...board.store.flags.values()].filter((flag) => flag.site === site && concerns(flag));
    return { held, transfer, flags: new Map(flags.map((flag) => [flag.flag_id, board.summary(flag)])) };
  }
}
