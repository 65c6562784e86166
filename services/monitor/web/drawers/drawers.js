// Which drawer is open. The address says it, so that a link opens the same one and "back" closes it.

import { onLanguage, useStrings } from "/static/shared/i18n.js";
import { onTick } from "/static/shared/ticker.js";
import { place } from "/static/shared/place.js";
import { AgentPanel } from "./agentpanel.js";
import { Drawer } from "./drawer.js";
import { QueuePanel } from "./queuepanel.js";
import strings from "./strings.js";

useStrings(strings);

const PANELS = { agent: AgentPanel, queue: QueuePanel };

let following = null;

/** Show all of one agent; `key` is "site/id". */
export function openAgent(board, key) {
  followAddress(board).go("agent", key);
}

/** Show all of one queue; `key` is "site/queue". */
export function openQueue(board, key) {
  followAddress(board).go("queue", key);
}

/** Open what the address names, now and whenever it changes. */
export function followAddress(board) {
  following ??= new Drawers(board);
  return following;
}

class Drawers {
  constructor(board) {
    Object.assign(this, { board, drawer: null, panel: null, shown: "", stepped: false });
    place.on((changed) => (changed.has("agent") || changed.has("queue")) && this.#follow());
    onLanguage(() => this.panel && this.#fill());
    onTick((local) => this.#draw(local));
    this.#follow();
  }

  go(kind, key, { replace = false } = {}) {
    place.update({ agent: kind === "agent" ? key : null, queue: kind === "queue" ? key : null }, { replace });
  }

  #follow() {
    const kind = place.get("agent") ? "agent" : "queue";
    const key = place.get(kind);
    const wanted = key ? `${kind}:${key}` : "";
    if (wanted === this.shown) return;
    this.shown = wanted;
    if (!key) {
      this.drawer?.close();
      return;
    }
    Object.assign(this, { kind, key });
    this.drawer ??= this.#open();
    this.#fill();
    this.drawer.dialog.scrollTop = 0;
    if (!this.stepped) this.drawer.title.focus({ preventScroll: true });
  }

  #open() {
    this.stepped = false;
    const drawer = new Drawer({
      onClose: () => this.#closed(),
      onStep: (step) => this.#step(step),
      home: () => (this.stepped && this.last?.kind === "agent" ? this.board.agents?.list.reveal(this.last.key) : null),
    });
    drawer.open();
    return drawer;
  }

  /** Build the panel anew: another entity, or other words. */
  #fill() {
    this.panel?.destroy();
    this.drawer.translate();
    this.panel = new PANELS[this.kind](this.drawer.body, this.board, this.key);
    this.#draw(performance.now());
  }

  #draw(local) {
    if (!this.panel) return;
    this.panel.draw(local);
    this.drawer.setTitle(this.panel.title());
    this.drawer.setSteps(this.#neighbour(1) !== this.key || this.#neighbour(-1) !== this.key);
  }

  /** The key `step` further on in the list that the one shown stands in; the same one at either end. */
  #neighbour(step) {
    const { board, kind, key } = this;
    if (kind === "agent") return board.agents?.list.neighbour(key, step) ?? key;
    const keys = [...(board.queues?.nodes.keys() ?? [])];
    const at = keys.indexOf(key);
    return (at < 0 ? keys[0] : keys[at + step]) ?? key;
  }

  #step(step) {
    const next = this.#neighbour(step);
    if (next === this.key) return;
    this.stepped = true;
    this.go(this.kind, next, { replace: true });
  }

  #closed() {
    this.panel?.destroy();
    this.last = { kind: this.kind, key: this.key };
    Object.assign(this, { drawer: null, panel: null, shown: "" });
    place.update({ agent: null, queue: null });
  }
}
