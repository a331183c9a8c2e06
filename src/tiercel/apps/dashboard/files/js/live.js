// Tells when to read again: soon after something happened, at most once a second, and from time to time anyway.
const AT_MOST_EVERY_MS = 1000;
const LEAST_REST = 4; // times as long as reading took: many who look must not be a load
const LIVE_EVERY_MS = 15_000;
const POLL_EVERY_MS = 5000;
const RETRY_MS = 10_000;

export class Live {
  #source = null;
  #timer = null;
  #retry = null;
  #kinds = "";
  #reading = 0;
  #wanted = false;
  #last = 0;
  #took = 0;
  #read;
  #said;

  // `read` reads and shows once; `said` is told "live" or "polling".
  constructor(read, said) {
    this.#read = read;
    this.#said = said;
    document.addEventListener("visibilitychange", () => document.hidden || this.#wanted && this.#plan());
  }

  // Follow events of some kinds (with commas between) from now on.
  follow(kinds) {
    if (this.#source && this.#kinds === kinds) return;
    this.#kinds = kinds;
    this.#open();
  }

  stop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = this.#timer = null;
    this.#kinds = "";
    this.#wanted = false;
  }

  // Something happened.
  touch() {
    this.#wanted = true;
    this.#plan();
  }

  get connected() {
    return this.#source?.readyState === EventSource.OPEN;
  }

  #open() {
    clearTimeout(this.#retry);
    this.#source?.close();
    const source = new EventSource(`/v1/events?kinds=${encodeURIComponent(this.#kinds)}`);
    this.#source = source;
    const happened = () => this.touch();
    for (const kind of [...this.#kinds.split(","), "dropped"]) source.addEventListener(kind, happened);
    source.onopen = () => {
      this.#said("live");
      this.touch(); // what happened before it was open
    };
    source.onerror = () => {
      this.#said("polling");
      this.#plan();
      if (source.readyState === EventSource.CLOSED) this.#retry = setTimeout(() => this.#open(), RETRY_MS);
    };
  }

  #plan() {
    if (this.#reading) return;
    clearTimeout(this.#timer);
    const pause = this.#wanted ? AT_MOST_EVERY_MS : this.connected ? LIVE_EVERY_MS : POLL_EVERY_MS;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, this.#last + Math.max(pause, LEAST_REST * this.#took) - performance.now()));
  }

  async #tick() {
    if (document.hidden) {
      this.#wanted = true; // nobody looks; reading waits until somebody does
      return;
    }
    await this.now();
  }

  // Read at once, whatever else is planned.
  async now() {
    clearTimeout(this.#timer);
    this.#reading += 1;
    this.#wanted = false;
    const began = performance.now();
    try {
      await this.#read();
    } finally {
      this.#reading -= 1;
      this.#last = performance.now();
      this.#took = this.#last - began;
      if (this.#source) this.#plan();
    }
  }
}
