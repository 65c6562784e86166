// Which incidents are selected: one by one, or as a range from where the last was.

export class Selection {
  #chosen = new Set();
  #anchor = null;

  /** `order()` gives the numbers as they stand. */
  constructor(order) {
    this.order = order;
  }

  get size() {
    return this.#chosen.size;
  }

  has(number) {
    return this.#chosen.has(number);
  }

  [Symbol.iterator]() {
    return this.#chosen[Symbol.iterator]();
  }

  toggle(number) {
    if (!this.#chosen.delete(number)) this.#chosen.add(number);
    this.#anchor = number;
  }

  /** Everything between the one chosen last and this one, too. */
  range(number) {
    const order = this.order();
    const [from, to] = [order.indexOf(this.#anchor ?? number), order.indexOf(number)].sort((a, b) => a - b);
    for (const one of order.slice(Math.max(0, from), to + 1)) this.#chosen.add(one);
    this.#anchor = number;
  }

  /** The cursor went on with shift held: where it was and where it is now. */
  extend(from, to) {
    this.#chosen.add(from).add(to);
    this.#anchor = to;
  }

  all() {
    for (const number of this.order()) this.#chosen.add(number);
  }

  only(numbers) {
    this.#chosen = new Set(numbers);
  }

  clear() {
    this.#chosen.clear();
    this.#anchor = null;
  }

  /** Whoever is not shown is not selected: nothing is done to what nobody sees. */
  keep(shown) {
    for (const number of this.#chosen) if (!shown.has(number)) this.#chosen.delete(number);
  }
}
