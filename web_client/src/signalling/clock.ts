/** The server's clock, as this page estimates it from the echoes of its pings. */

/** Echoes older than this no longer count: quartz clocks drift apart by some 50 µs a second. */
const WINDOW_MS = 30_000;
const MAX_SAMPLES = 32;

interface Echo {
  at: number;
  roundTrip: number;
  offset: number;
}

/**
 * Believes the echo that was fastest of late: its uncertainty is at most half its round trip.
 * All times in milliseconds; `now` is the page's own clock, `server_time` Unix time.
 */
export class ServerClock {
  #echoes: Echo[] = [];
  #rough: number | null = null;

  /** The time in `welcome` is a first guess, late by half a round trip. */
  handleWelcome(serverTime: number, now: number): void {
    this.#rough = serverTime - now;
    this.#echoes = [];
  }

  handlePong(sentAt: number, serverTime: number, now: number): void {
    const roundTrip = now - sentAt;
    if (!(roundTrip >= 0)) return;
    this.#echoes.push({ at: now, roundTrip, offset: serverTime + roundTrip / 2 - now });
    this.#echoes = this.#echoes.filter((echo) => now - echo.at <= WINDOW_MS).slice(-MAX_SAMPLES);
  }

  /** The server's Unix time at the page's time `now`; null before the welcome. */
  serverTime(now: number): number | null {
    const best = this.#best();
    if (best !== null) return now + best.offset;
    return this.#rough === null ? null : now + this.#rough;
  }

  /** The fastest round trip of late, in ms; null before the first echo. */
  get roundTrip(): number | null {
    return this.#best()?.roundTrip ?? null;
  }

  #best(): Echo | null {
    let best: Echo | null = null;
    for (const echo of this.#echoes) if (best === null || echo.roundTrip <= best.roundTrip) best = echo;
    return best;
  }
}
