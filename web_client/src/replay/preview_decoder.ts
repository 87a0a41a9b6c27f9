/** Decodes one frame of a preview's piece (WebCodecs): from its key frame on, and gives that very frame. */
import { keyBefore, PreviewError, type PreviewFrame, type PreviewList } from './preview';

/** What is used of WebCodecs: a test pretends it. */
export interface Codecs {
  VideoDecoder: typeof VideoDecoder;
  EncodedVideoChunk: typeof EncodedVideoChunk;
}

/** Null where the browser, or a page that came without encryption, has none. */
export function codecsOf(page: object): Codecs | null {
  return 'VideoDecoder' in page && 'EncodedVideoChunk' in page ? (page as Codecs) : null;
}

/** Which frame of a piece is waited for, and the frame itself. */
interface Job {
  wanted: number;
  found: VideoFrame | null;
}

export class PreviewDecoder {
  readonly #config: VideoDecoderConfig;
  #decoder: VideoDecoder | null = null;
  #job: Job | null = null;

  constructor(
    list: PreviewList,
    private readonly codecs: Codecs,
  ) {
    // Annex B: the parameter sets come with the key frames
    this.#config = { codec: list.codec, codedWidth: list.width, codedHeight: list.height, optimizeForLatency: true };
  }

  async isSupported(): Promise<boolean> {
    const { supported } = await this.codecs.VideoDecoder.isConfigSupported(this.#config).catch(() => ({ supported: false }));
    return supported === true;
  }

  /**
   * Decode one frame, which the caller closes. Null: `close` or another frame came between. Rejects with PreviewError where it
   * cannot be decoded.
   */
  async decode(frames: readonly PreviewFrame[], index: number): Promise<VideoFrame | null> {
    if (this.#job !== null) this.close();
    const job: Job = (this.#job = { wanted: index, found: null });
    try {
      const decoder = this.#opened();
      for (let number = keyBefore(frames, index); number <= index; number += 1) {
        const { key, data } = frames[number] as PreviewFrame;
        // the number in the piece is the name by which a frame is known again
        decoder.decode(new this.codecs.EncodedVideoChunk({ type: key ? 'key' : 'delta', timestamp: number, data }));
      }
      await decoder.flush();
    } catch (error) {
      if (this.#job !== job) return null;
      this.close();
      throw new PreviewError(`A preview could not be decoded: ${String(error)}`);
    }
    if (this.#job !== job) return null;
    this.#job = null;
    if (job.found === null) throw new PreviewError('A preview holds less than it says.');
    return job.found;
  }

  /** Let go what is being decoded; it may be used again. */
  close(): void {
    const [decoder, job] = [this.#decoder, this.#job];
    this.#decoder = this.#job = null;
    job?.found?.close();
    if (decoder !== null && decoder.state !== 'closed') decoder.close();
  }

  #opened(): VideoDecoder {
    if (this.#decoder?.state === 'configured') return this.#decoder;
    const decoder = new this.codecs.VideoDecoder({
      output: (frame) => {
        const job = this.#job;
        if (this.#decoder !== decoder || job === null || job.found !== null || frame.timestamp !== job.wanted) frame.close();
        else job.found = frame;
      },
      // whoever waits for it hears of it
      error: () => undefined,
    });
    decoder.configure(this.#config);
    this.#decoder = decoder;
    return decoder;
  }
}
