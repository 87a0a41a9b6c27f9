/**
 * Agrees with the server on what one publishing connection sends (PROTOCOL.md §2): one offer at a time, and what changes
 * meanwhile goes into the next one.
 *
 * Each connection has a negotiation of its own, which ends with it: an answer finds the offer that it answers, and what a
 * connection that was given up still waits for concerns nobody.
 */
import type { PublishedSource, Reply } from '../signalling/protocol';

export interface PublisherOffer {
  sdp: string;
  sources: PublishedSource[];
}

/** Put an offer to the server until it is answered, over breaks, as long as it is wanted; null: it is not any more. */
export type AskServer = (offer: PublisherOffer, wanted: () => boolean) => Promise<Reply | null>;

interface Parts {
  ask: AskServer;
  /** Give the connection its sections; what they carry is read once the browser has named them. */
  describe: () => () => PublishedSource[];
  agreed: (reply: Reply) => void;
  /** The server refused, or the browser could not take the answer. Nothing follows. */
  failed: (error: unknown, offered: readonly PublishedSource[]) => void;
}

export class Negotiation {
  #wanted = false;
  #underWay = false;
  #over = false;
  #offered: PublishedSource[] = [];

  constructor(
    readonly connection: RTCPeerConnection,
    private readonly parts: Parts,
  ) {}

  /** Whether the answer to something that was wanted is still to come. */
  get underWay(): boolean {
    return this.#underWay;
  }

  /** Something has changed: offer it. */
  need(): void {
    this.#wanted = true;
    if (this.#underWay || this.#over) return;
    this.#underWay = true;
    void this.#run().catch((error: unknown) => {
      if (!this.#over) this.parts.failed(error, this.#offered);
    });
  }

  /** Close the connection, and hear nothing more of it. */
  end(): void {
    this.#over = true;
    this.connection.close();
  }

  async #run(): Promise<void> {
    // a microtask later: what is sent in one go makes one offer
    await Promise.resolve();
    for (;;) {
      if (this.#over) return;
      this.#wanted = false;
      const reply = await this.#exchange();
      if (reply === null || this.#over) return;
      const again = this.#wanted;
      this.#underWay = again;
      this.parts.agreed(reply);
      if (!again) return;
    }
  }

  async #exchange(): Promise<Reply | null> {
    const { connection } = this;
    const sources = this.parts.describe();
    await connection.setLocalDescription(await connection.createOffer());
    if (this.#over) return null;
    this.#offered = sources();
    // no candidates: the server is ICE-lite and learns the page's address from its checks. After a break the same offer
    // is put again, which changes nothing where it had arrived
    const offer = { sdp: connection.localDescription?.sdp ?? '', sources: this.#offered };
    const reply = await this.parts.ask(offer, () => !this.#over);
    if (reply === null || this.#over) return null;
    await connection.setRemoteDescription({ type: 'answer', sdp: reply.sdp ?? '' });
    return reply;
  }
}
