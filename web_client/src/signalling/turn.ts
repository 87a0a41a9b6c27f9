/** The TURN servers for both media connections, with credentials that are renewed before they end (PROTOCOL.md §1). */
import type { Timers } from '../timers';

/** Renewed when this share of their time is over, and tried again after a refusal. */
const RENEW_SHARE = 0.75;
const RENEW_RETRY_MS = 30_000;

export interface Lent {
  servers: RTCIceServer[];
  /** Seconds that the credentials hold. */
  lifetime: number;
}

export class TurnServers {
  #servers: RTCIceServer[] = [];
  #cancelRenewal: () => void = () => undefined;

  constructor(
    private readonly timers: Timers,
    /** Ask for new ones. `refused`: to be tried again; `away`: the next welcome brings them by itself. */
    private readonly ask: (before: Lent) => Promise<Lent | 'refused' | 'away'>,
    private readonly use: (servers: RTCIceServer[]) => void,
  ) {}

  /** With credentials that hold. */
  get servers(): RTCIceServer[] {
    return this.#servers;
  }

  handle(lent: Lent): void {
    this.#servers = lent.servers;
    this.use(lent.servers);
    this.stop();
    if (lent.servers.length > 0) this.#renewAfter(lent.lifetime * 1000 * RENEW_SHARE, lent);
  }

  stop(): void {
    this.#cancelRenewal();
  }

  #renewAfter(milliseconds: number, lent: Lent): void {
    this.#cancelRenewal = this.timers.after(milliseconds, () => void this.#renew(lent));
  }

  async #renew(before: Lent): Promise<void> {
    const lent = await this.ask(before);
    if (lent === 'refused') this.#renewAfter(RENEW_RETRY_MS, before);
    else if (lent !== 'away') this.handle(lent);
  }
}
