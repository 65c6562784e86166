// Signing out in one tab ends what other tabs of this service show: their feeds were let in before.

const CHANNEL = "floorwatch.signed-out";

export function tellSignedOut() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage("");
  channel.close();
}

export function onSignedOut(listener) {
  new BroadcastChannel(CHANNEL).addEventListener("message", listener);
}
