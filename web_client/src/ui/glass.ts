/** What is on the glass just now: the frame that a <video> shows, as a picture, with its name. */
import type { FrameClock, PresentedFrame } from '../media/frame_clock';
import type { ProducerId } from '../signalling/protocol';

interface Glass {
  video: HTMLVideoElement;
  frames: FrameClock;
}

export interface GlassFrame {
  rtpTimestamp: number;
  /** Null where the browser does not say which frame its pixels are of. */
  picture: ImageBitmap | null;
}

/** The large picture of each producer. */
const glasses = new Map<ProducerId, Glass>();
/** What the browser said of the frame that each element presented last. */
const presented = new WeakMap<HTMLVideoElement, number>();

export function notePresented(video: HTMLVideoElement, mediaTime: number): void {
  presented.set(video, mediaTime);
}

/** Register until the function returned is called. */
export function showGlass(producer: ProducerId, glass: Glass): () => void {
  glasses.set(producer, glass);
  return () => {
    if (glasses.get(producer)?.video === glass.video) glasses.delete(producer);
  };
}

/** The pixels may be a frame further than what was said of them: then the next frame is taken. */
const TRIES = 12;
const SAME_SECONDS = 0.001;
const NAME_MS = 3000;

/** Take the frame on the glass; null: there is none, or it has no name. */
export async function takeFrame(producer: ProducerId): Promise<GlassFrame | null> {
  const glass = glasses.get(producer);
  if (glass === undefined) return null;
  const { video, frames } = glass;
  for (let tried = 0; tried < TRIES; tried++) {
    const latest = frames.latest;
    if (latest === null) return null;
    const picture = 'VideoFrame' in globalThis ? await pixelsOf(video) : null;
    if (picture !== null || !('VideoFrame' in globalThis)) {
      const rtpTimestamp = await nameOf(frames, latest);
      return rtpTimestamp === null ? null : { rtpTimestamp, picture };
    }
    await nextFrame(video);
  }
  return null;
}

/** Null where they are of another frame than the one that was told last. */
async function pixelsOf(video: HTMLVideoElement): Promise<ImageBitmap | null> {
  let frame: VideoFrame;
  try {
    frame = new VideoFrame(video);
  } catch {
    return null;
  }
  try {
    const told = presented.get(video);
    if (told === undefined || Math.abs(frame.timestamp / 1e6 - told) > SAME_SECONDS) return null;
    return await createImageBitmap(frame);
  } finally {
    frame.close();
  }
}

/** One's own frames are named a moment after they are shown. */
function nameOf(frames: FrameClock, frame: PresentedFrame): Promise<number | null> {
  if (frame.rtpTimestamp !== null) return Promise.resolve(frame.rtpTimestamp);
  return new Promise((resolve) => {
    frames.whenNamed(frame, resolve);
    setTimeout(() => resolve(null), NAME_MS);
  });
}

function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => {
    video.requestVideoFrameCallback(() => resolve());
    setTimeout(resolve, 500);
  });
}
