/**
 * Carries a line test out: one data channel each by UDP, TCP and TURN to the real media port, an echo over the best of
 * them, then bytes both ways over HTTP. Nothing else is measured at the same time as bytes, which would delay it.
 */
import { Emitter } from '../emitter';
import { EchoCounter } from './echo';
import type { Bandwidth, Findings, WayName, WayResult } from './verdict';

const WAYS: readonly WayName[] = ['udp', 'tcp', 'turn'];
const OPEN_MS = 8000;
const ECHOES = 120;
const ECHO_GAP_MS = 20;
const ECHO_WAIT_MS = 1000;
const BYTES_MS = 2500;
/** As `PIECE` in server/line_test.py. */
const PIECE = 256 * 1024;
const PARALLEL = 4;
/** A piece that takes longer is measured alone. */
const SLOW_MS = 1000;
/** Within the server's budget for one test and direction. */
const MOST_BYTES = 32e6;
/** Bytes of an echo: as a packet of a picture, and what the server takes at most. */
const ECHO_SIZE = 1000;

interface LineTestEvents {
  changed: Findings;
}

/** The server said no, in a sentence. */
export class Refusal extends Error {}

export class LineTest extends Emitter<LineTestEvents> {
  readonly #abort = new AbortController();
  #noise: Blob | null = null;
  #findings: Findings = { ways: {}, where: { udp: [], tcp: [], turn: [] }, quality: null, down: null, up: null, failure: null };

  constructor(private readonly token: string) {
    super();
  }

  stop(): void {
    this.#abort.abort();
  }

  async run(): Promise<Findings> {
    try {
      const described = await this.#ask('GET', '/api/linetest');
      const { ice_servers: servers } = (await described.json()) as { ice_servers: RTCIceServer[] };
      this.#learn({ where: { ...this.#findings.where, turn: servers.flatMap(({ urls }) => urls) } });
      const channels = await Promise.all(WAYS.map((way) => this.#try(way, servers)));
      const best = channels.find((channel) => channel !== null);
      if (best !== undefined && best !== null) this.#learn({ quality: await echo(best.channel) });
      for (const each of channels) each?.connection.close();
      this.#learn({ down: await measureTransfer(() => this.#download(), () => performance.now()) });
      this.#learn({ up: await measureTransfer(() => this.#upload(), () => performance.now()) });
    } catch (error) {
      this.#learn({ failure: error instanceof Error ? error.message : String(error) });
    }
    return this.#findings;
  }

  #learn(found: Partial<Findings>): void {
    this.#findings = { ...this.#findings, ...found };
    this.emit('changed', this.#findings);
  }

  async #ask(method: string, path: string, body: BodyInit | null = null): Promise<Response> {
    const answer = await fetch(path, {
      method,
      body,
      cache: 'no-store',
      headers: { Authorization: `Bearer ${this.token}` },
      signal: this.#abort.signal,
    });
    if (answer.ok) return answer;
    const said = (await answer.json().catch(() => null)) as { message?: string } | null;
    throw new Refusal(said?.message ?? `HTTP ${answer.status}`);
  }

  async #try(way: WayName, servers: RTCIceServer[]): Promise<Opened | null> {
    if (way === 'turn' && servers.length === 0) return this.#settle(way, { state: 'not_offered' });
    const relayed = way === 'turn';
    const connection = new RTCPeerConnection(relayed ? { iceServers: servers, iceTransportPolicy: 'relay' } : {});
    let refused = false;
    connection.addEventListener('icecandidateerror', ({ errorCode }) => (refused ||= errorCode === 401));
    const began = performance.now();
    try {
      const channel = connection.createDataChannel('echo', { ordered: false, maxRetransmits: 0 });
      await connection.setLocalDescription(await connection.createOffer());
      const offer = JSON.stringify({ sdp: connection.localDescription?.sdp ?? '' });
      const answer = (await (await this.#ask('POST', '/api/linetest', offer)).json()) as { sdp: string };
      const { sdp, where } = onlyBy(way === 'tcp' ? 'tcp' : 'udp', answer.sdp);
      if (!relayed) this.#learn({ where: { ...this.#findings.where, [way]: where } });
      if (where.length === 0) {
        connection.close();
        return this.#settle(way, { state: 'not_offered' });
      }
      await connection.setRemoteDescription({ type: 'answer', sdp });
      await opened(channel);
      this.#settle(way, { state: 'reachable', ms: performance.now() - began });
      return { channel, connection };
    } catch (error) {
      connection.close();
      if (error instanceof Refusal) throw error;
      return this.#settle(way, { state: refused ? 'credentials' : 'blocked' });
    }
  }

  #settle(way: WayName, result: WayResult): null {
    this.#learn({ ways: { ...this.#findings.ways, [way]: result } });
    return null;
  }

  async #download(): Promise<number> {
    return (await (await this.#ask('GET', '/api/linetest/bytes')).arrayBuffer()).byteLength;
  }

  async #upload(): Promise<number> {
    await this.#ask('POST', '/api/linetest/bytes', (this.#noise ??= makeNoise()));
    return PIECE;
  }
}

/**
 * Move pieces side by side for a while; `move` gives the bytes of one. The first goes alone: it warms the connections up,
 * and on a slow line it is measure enough. `now` in ms.
 */
export async function measureTransfer(move: () => Promise<number>, now: () => number): Promise<Bandwidth | null> {
  let capped = false;
  let bytes = 0;
  const one = async (): Promise<void> => {
    try {
      const moved = await move();
      bytes += moved;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      capped = true;
    }
  };
  let began = now();
  await one();
  if (!capped && now() - began < SLOW_MS) {
    began = now();
    bytes = 0;
    const lane = async (): Promise<void> => {
      while (now() - began < BYTES_MS && bytes < MOST_BYTES && !capped) await one();
    };
    await Promise.all(Array.from({ length: PARALLEL }, lane));
  }
  const seconds = (now() - began) / 1000;
  return bytes === 0 ? null : { value: (bytes * 8) / seconds / 1e6, capped };
}

interface Opened {
  channel: RTCDataChannel;
  connection: RTCPeerConnection;
}

/** Not zeros, which a proxy might compress. */
function makeNoise(): Blob {
  const bytes = new Uint8Array(PIECE);
  for (let at = 0; at < PIECE; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  // Chromium sends a blob several times as fast as an array, which would be measured instead of the line
  return new Blob([bytes]);
}

/** Leave only the candidates of one protocol in an answer, and say where they lead. */
export function onlyBy(protocol: 'udp' | 'tcp', sdp: string): { sdp: string; where: string[] } {
  const where: string[] = [];
  const lines = sdp.split('\r\n').filter((line) => {
    if (!line.startsWith('a=candidate:')) return true;
    const [, , transport, , host, port] = line.split(' ');
    if (transport?.toLowerCase() !== protocol || host === undefined) return false;
    const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (!where.includes(target)) where.push(target);
    return true;
  });
  return { sdp: lines.join('\r\n'), where };
}

function opened(channel: RTCDataChannel): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The channel did not open.')), OPEN_MS);
    channel.addEventListener('open', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function echo(channel: RTCDataChannel): Promise<Findings['quality']> {
  const counter = new EchoCounter();
  channel.addEventListener('message', ({ data }: MessageEvent<string>) => {
    counter.handleEcho(Number.parseInt(data, 10), performance.now());
  });
  for (let n = 0; n < ECHOES && channel.readyState === 'open'; n += 1) {
    const number = counter.handleSend(performance.now());
    channel.send(String(number).padEnd(ECHO_SIZE));
    await pause(ECHO_GAP_MS);
  }
  await pause(ECHO_WAIT_MS);
  return counter.quality;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
