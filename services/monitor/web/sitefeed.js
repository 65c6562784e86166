// The feed of the site that is shown: of the others come their flags, which may sound an alarm, and that they are there.
//
// For another site a second connection is opened beside the first, and what is shown stays until that one has a whole picture;
// so nothing is blank in between, and a board of one site does not pay for twenty.

import { FeedClient } from "/static/shared/live.js";

const NARROWED = ["queues", "agents", "calls"];

export class SiteFeed {
  /** `onMessage` and `onState` as of a FeedClient; `board` says which sites it needs and is told in `followed` which it has. */
  constructor(board, { onMessage, onState }) {
    Object.assign(this, { board, onMessage, onState, current: null, next: null });
  }

  start() {
    this.current = this.#client(this.board.neededSites());
    return this;
  }

  /** Call when other sites may be needed; does nothing while they are not. */
  follow() {
    const sites = this.board.neededSites();
    const wanted = nameOf(sites);
    if (wanted === (this.next ?? this.current).name) return;
    this.next?.feed.stop();
    if (this.next?.feed.status.state === "refused") this.onState(this.current.feed.status);
    this.next = null;
    if (wanted === this.current.name) return; // back before the other had come
    const client = this.#client(sites);
    if (this.current.whole) this.next = client;
    else this.#replace(client);
  }

  /** Whether `message` brings anything of what is shown; what does not can be looked at a little later. */
  concerns(message) {
    const { followed } = this.board;
    if (message.type !== "delta" || followed === null) return true;
    return message.changes.some(({ key }) => followed.includes(key.split("/", 1)[0]));
  }

  #client(sites) {
    const client = { sites, name: nameOf(sites), whole: false };
    client.feed = new FeedClient({
      filter: sites ? { sites, channels: NARROWED } : undefined,
      onMessage: (message) => this.#hear(client, message),
      onState: (state) => this.#hearState(client, state),
    });
    client.feed.start();
    return client;
  }

  #hear(client, message) {
    if (message.type === "snapshot") {
      client.whole = true;
      if (client === this.next) this.#replace(client);
      this.board.followed = client.sites;
    }
    if (client === this.current) this.onMessage(message);
  }

  /** While another site is on its way, how it is with the one that is shown is what counts; but who is refused is refused. */
  #hearState(client, state) {
    if (client === this.next && state.state !== "refused") return;
    if (client === this.next || client === (this.current ?? client)) this.onState(state);
  }

  #replace(client) {
    this.current?.feed.stop();
    this.current = client;
    this.next = null;
    this.onState(client.feed.status);
  }
}

function nameOf(sites) {
  return sites === null ? "" : [...sites].sort().join("\n");
}
