// Silence with the manners of a player, until there is one.

export class Listening {
  constructor() {
    this.listeners = new Map();
  }

  on(name, listener) {
    this.listeners.set(name, listener);
    return () => this.listeners.delete(name);
  }

  connect() {
    this.listeners.get("state")?.({ state: "live", reason: "" });
  }

  close() {}
  mute() {}
  volume() {}
  select() {}
  microphone() {}
}
