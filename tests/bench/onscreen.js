// Put into a page before its own scripts: notes when each delta came, was taken in, was in a frame, and was painted.
// Times are Unix seconds. `drawn` is a callback of the frame behind the page's own, which draws what it heard.

(() => {
  const wall = () => (performance.timeOrigin + performance.now()) / 1000;
  const noted = [];

  class Watched extends WebSocket {
    #came = 0;

    set onmessage(hear) {
      this.addEventListener("message", () => (this.#came = wall()));
      super.onmessage = hear;
      this.addEventListener("message", ({ data }) => this.#after(data));
    }

    #after(data) {
      if (!data.startsWith('{"type":"delta"')) return;
      const position = parseInt(data.slice(data.indexOf('"position":') + 11), 10);
      const one = [position, this.#came, wall(), 0, 0];
      requestAnimationFrame(() => {
        one[3] = wall();
        const { port1, port2 } = new MessageChannel();
        port2.onmessage = () => {
          one[4] = wall();
          port2.close();
          noted.push(one);
        };
        port1.postMessage(null);
      });
    }
  }

  window.WebSocket = Watched;
  window.benchTakeNoted = () => noted.splice(0);
  window.benchFrameMs = (frames) =>
    new Promise((done) => {
      const began = performance.now();
      const next = (left) => (left ? requestAnimationFrame(() => next(left - 1)) : done((performance.now() - began) / frames));
      next(frames);
    });
})();
