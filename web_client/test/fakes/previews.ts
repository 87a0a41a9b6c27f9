/** Pieces of previews as a server gives them, and a decoder that only pretends. */
import type { Codecs } from '../../src/replay/preview_decoder';

const unit = (index: number): Uint8Array => new Uint8Array([0, 0, 0, 1, 0x41, index]);

/** A piece's body (PROTOCOL.md §8). */
export function piece(times: readonly number[], isKey: (index: number) => boolean, data: (index: number) => Uint8Array = unit): ArrayBuffer {
  const units = times.map((_, index) => data(index));
  const body = new Uint8Array(8 + 12 * times.length + units.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(body.buffer);
  body.set([0x4b, 0x50, 0x56, 0x31]);
  view.setUint32(4, times.length);
  let at = 8 + 12 * times.length;
  times.forEach((time, index) => {
    const bytes = units[index] as Uint8Array;
    view.setBigUint64(8 + 12 * index, BigInt(time));
    view.setUint32(16 + 12 * index, (isKey(index) ? 0x8000_0000 : 0) + bytes.length);
    body.set(bytes, at);
    at += bytes.length;
  });
  return body.buffer;
}

export class PretendedCodecs {
  /** Names of the chunks that were decoded. */
  readonly decoded: number[] = [];
  /** Frames that nobody has closed, and decoders that were made. */
  open = 0;
  made = 0;
  supported = true;
  broken = false;
  readonly lacking = new Set<number>();
  /** Until when a decoder takes for its work. */
  work: () => Promise<void> = () => Promise.resolve();

  get codecs(): Codecs {
    return { VideoDecoder: this.#decoder(), EncodedVideoChunk: PretendedChunk as unknown as typeof EncodedVideoChunk };
  }

  #decoder(): typeof VideoDecoder {
    const bench = this;
    class Decoder {
      static isConfigSupported = (): Promise<{ supported: boolean }> => Promise.resolve({ supported: bench.supported });
      state = 'unconfigured';
      #waiting: PretendedChunk[] = [];
      constructor(private readonly init: VideoDecoderInit) {
        bench.made += 1;
      }
      configure(): void {
        this.state = 'configured';
      }
      decode(chunk: PretendedChunk): void {
        this.#waiting.push(chunk);
      }
      async flush(): Promise<void> {
        const chunks = this.#waiting.splice(0);
        await bench.work();
        await Promise.resolve();
        if (this.state === 'closed') throw new DOMException('closed', 'AbortError');
        if (bench.broken) {
          this.state = 'closed';
          throw new DOMException('broken', 'EncodingError');
        }
        for (const { timestamp } of chunks) {
          bench.decoded.push(timestamp);
          if (bench.lacking.has(timestamp)) continue;
          bench.open += 1;
          this.init.output({ timestamp, displayWidth: 854, displayHeight: 480, close: () => (bench.open -= 1) } as unknown as VideoFrame);
        }
      }
      close(): void {
        this.state = 'closed';
      }
    }
    return Decoder as unknown as typeof VideoDecoder;
  }
}

class PretendedChunk {
  readonly timestamp: number;
  constructor({ timestamp }: EncodedVideoChunkInit) {
    this.timestamp = timestamp;
  }
}
