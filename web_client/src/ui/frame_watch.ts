/** Follows the frames of a <video> into a FrameClock, and reads the barcode off the picture where there is one. */
import { readStrip, stripRegion } from '../media/barcode';
import type { FrameClock } from '../media/frame_clock';
import type { SenderFrames } from '../media/sender_frames';
import { notePresented } from './glass';

/** Four times a second is enough for a figure that people read. */
const READ_EVERY_MS = 250;

export interface FrameWatch {
  frames: FrameClock;
  /** For one's own picture: names the preview's frames as the receivers name them. */
  own: SenderFrames | null;
  serverNow: () => number | null;
}

/** Watch until the function returned is called. */
export function watchFrames(video: HTMLVideoElement, watch: FrameWatch): () => void {
  let readAt = -Infinity;
  let handle = 0;

  const handleFrame = (now: number, metadata: VideoFrameCallbackMetadata): void => {
    handle = video.requestVideoFrameCallback(handleFrame);
    notePresented(video, metadata.mediaTime);
    const { width, height, expectedDisplayTime, captureTime } = metadata;
    const rtpTimestamp = watch.own === null ? (metadata.rtpTimestamp ?? null) : null;
    const serverNow = watch.own === null ? watch.serverNow() : null;
    // some browsers say a display time in the past; what is shown cannot be newer than now
    const shownAt = Math.max(now, expectedDisplayTime);
    // of one's own picture no age is told
    const frame = { rtpTimestamp, width, height, shownAt, capturedAt: watch.own === null ? (captureTime ?? null) : null };
    watch.frames.handleFrame(frame, serverNow, now);
    if (watch.own !== null && captureTime !== undefined) {
      watch.own.handleShown(captureTime, now, (name) => {
        watch.frames.handleName(frame, name?.rtpTimestamp ?? null, name?.exact ?? false);
      });
    }
    if (serverNow === null || !watch.frames.expectsBarcode || now - readAt < READ_EVERY_MS) return;
    readAt = now;
    void readBarcode(video).then((frame) => {
      if (frame !== null) watch.frames.handleReading(frame, serverNow + (shownAt - now), now);
    });
  };

  const handleVisibility = (): void => {
    if (!document.hidden) watch.frames.handleVisible(performance.now());
  };

  handle = video.requestVideoFrameCallback(handleFrame);
  document.addEventListener('visibilitychange', handleVisibility);
  return () => {
    video.cancelVideoFrameCallback(handle);
    document.removeEventListener('visibilitychange', handleVisibility);
  };
}

/** Formats whose first plane is brightness, a byte a pixel. */
const PLANAR: ReadonlySet<VideoPixelFormat | null> = new Set<VideoPixelFormat>(['I420', 'I420A', 'I422', 'I444', 'NV12']);

/**
 * Copy the strip out of the frame on the glass: a fraction of a millisecond, where drawing a 4K frame on a canvas
 * can hold the page up for seconds. Null where there is no barcode or the browser does not give its pixels.
 */
async function readBarcode(video: HTMLVideoElement): Promise<number | null> {
  if (!('VideoFrame' in globalThis)) return null;
  let frame: VideoFrame | null = null;
  try {
    frame = new VideoFrame(video);
    const { visibleRect, format } = frame;
    if (visibleRect === null || format === null) return null;
    const region = stripRegion(visibleRect.height);
    if (region.width > visibleRect.width) return null;
    const rect = { x: visibleRect.x, y: visibleRect.y, ...region };
    const bytes = new Uint8Array(frame.allocationSize({ rect }));
    const [plane] = await frame.copyTo(bytes, { rect });
    if (plane === undefined) return null;
    // RGBA and its kin: green is the greater part of brightness
    const isPlanar = PLANAR.has(format);
    const luma = bytes.subarray(plane.offset + (isPlanar ? 0 : 1));
    return readStrip({ bytes: luma, stride: plane.stride, step: isPlanar ? 1 : 4, frameHeight: visibleRect.height });
  } catch {
    // the element holds no frame just now, or one that may not be read
    return null;
  } finally {
    frame?.close();
  }
}
