/**
 * In which encodings a picture is sent, so that everybody gets what fits their tile and their line.
 *
 * Simulcast is the usual way: the server passes one of up to three encodings on to each receiver, and those that
 * nobody watches rest at the sender. Layers within one encoding (SVC, for AV1 and VP9) cost the sender less and the
 * receivers more; they are an option (`layersChosen`).
 */
import type { Source } from '../signalling/protocol';

/** How layers are made. `single`: not at all. */
export type Layers = 'simulcast' | 'av1' | 'vp9' | 'single';

export interface Ladder {
  encodings: RTCRtpEncodingParameters[];
  /** Heights of the encodings in pixels, the lowest first. */
  heights: number[];
  /** The codec that goes first, as in a MIME type; null: the browser's order. */
  codec: string | null;
}

/** Bit/s of the whole picture: a 4K field in H.264 needs about 20 million, a face is well served by 1.5. */
const MAX_BITRATE: Readonly<Partial<Record<Source, number>>> = { microphone: 64_000, camera: 1_500_000, field: 20_000_000 };
/** A quarter of the pixels needs somewhat more than a quarter of the bits. */
const SHARE = [1, 0.3, 0.09];
const RIDS = ['f', 'h', 'q'] as const;
/** A smaller encoding than this shows nothing. */
const LEAST_HEIGHT = 135;
/** Where the track does not say. */
const USUAL_HEIGHT: Readonly<Partial<Record<Source, number>>> = { camera: 720, field: 2160 };
/** Full frame rate, half and a quarter; full size, half and a quarter. */
const SVC_MODE = 'L3T3';
const STORED = 'konsil.layers';

/** What was chosen in this browser under `konsil.layers` in its local storage; simulcast where nothing was. */
export function layersChosen(store: Pick<Storage, 'getItem'>): Layers {
  const chosen = store.getItem(STORED);
  return chosen === 'av1' || chosen === 'vp9' || chosen === 'single' ? chosen : 'simulcast';
}

export function rememberLayers(store: Pick<Storage, 'setItem'>, layers: Layers): void {
  store.setItem(STORED, layers);
}

/** What a browser says of its encoders. */
export interface EncoderSupport {
  /** MIME types that it can send. */
  codecs: readonly string[];
  /** Whether it encodes a MIME type in a scalability mode. */
  encodes: (type: string, mode: string) => Promise<boolean>;
}

/** The ways that this browser can send, the usual one first. */
export async function layersOffered(support: EncoderSupport): Promise<Layers[]> {
  const known = new Set(support.codecs.map((type) => type.toLowerCase()));
  const offered: Layers[] = ['simulcast'];
  for (const layers of ['vp9', 'av1'] as const) {
    const type = `video/${layers}`;
    if (known.has(type) && (await support.encodes(type, SVC_MODE))) offered.push(layers);
  }
  return [...offered, 'single'];
}

/** Ask the browser itself; where it says nothing of modes, layers are not offered. */
export function browserSupport(): EncoderSupport {
  const codecs = globalThis.RTCRtpSender?.getCapabilities('video')?.codecs ?? [];
  return { codecs: codecs.map(({ mimeType }) => mimeType), encodes: encodesInMode };
}

async function encodesInMode(contentType: string, scalabilityMode: string): Promise<boolean> {
  const video = { contentType, scalabilityMode, width: 1280, height: 720, bitrate: 1_500_000, framerate: 30 };
  try {
    return (await navigator.mediaCapabilities.encodingInfo({ type: 'webrtc', video })).supported;
  } catch {
    return false;
  }
}

export function ladderOf(source: Source, height: number | undefined, layers: Layers): Ladder {
  const maxBitrate = MAX_BITRATE[source] ?? 0;
  const full = height ?? USUAL_HEIGHT[source] ?? 0;
  if (full === 0) return { encodings: [{ maxBitrate }], heights: [], codec: null };
  // H.264 is the cheapest to encode at 4K, and replays everywhere
  const usual = source === 'field' ? 'H264' : null;
  if (layers === 'single') return { encodings: [{ maxBitrate }], heights: [full], codec: usual };
  if (layers !== 'simulcast') {
    return { encodings: [withMode({ maxBitrate })], heights: [full], codec: layers.toUpperCase() };
  }
  const count = RIDS.filter((_, i) => i === 0 || full >> i >= LEAST_HEIGHT).length;
  if (count === 1) return { encodings: [{ maxBitrate }], heights: [full], codec: usual };
  const encodings = RIDS.slice(0, count).map((rid, i) => {
    return { rid, scaleResolutionDownBy: 1 << i, maxBitrate: Math.round(maxBitrate * (SHARE[i] ?? 1)) };
  });
  return { encodings: encodings.reverse(), heights: encodings.map((_, i) => full >> (count - 1 - i)), codec: usual };
}

/** `scalabilityMode` is not among the standard library's types yet. */
function withMode(encoding: RTCRtpEncodingParameters): RTCRtpEncodingParameters {
  return { ...encoding, scalabilityMode: SVC_MODE } as RTCRtpEncodingParameters;
}
