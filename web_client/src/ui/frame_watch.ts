/** Follows the frames of a <video> into a FrameClock, and reads the barcode off the picture where there is one. */
import { STRIP_HEIGHT, STRIP_WIDTH, readStrip, stripRegion } from '../media/barcode';
import type { FrameClock } from '../media/frame_clock';
import type { SenderFrames } from '../media/sender_frames';

/** Reading costs a copy out of the picture: four times a second is enough for a figure that people read. */
const READ_EVERY_MS = 250;

export interface FrameWatch {
  frames: FrameClock;
  /** For one's own picture: names the preview's frames as the receivers name them. */
  own: SenderFrames | null;
  serverNow: () => number | null;
}

/** Watch until the function returned is called. */
export function watchFrames(video: HTMLVideoElement, watch: FrameWatch): () => void {
  const strip = new OffscreenCanvas(STRIP_WIDTH, STRIP_HEIGHT);
  const context = strip.getContext('2d', { willReadFrequently: true });
  let readAt = -Infinity;
  let handle = 0;

  const handleFrame = (now: number, metadata: VideoFrameCallbackMetadata): void => {
    handle = video.requestVideoFrameCallback(handleFrame);
    const { width, height, expectedDisplayTime, captureTime } = metadata;
    const rtpTimestamp = watch.own === null ? (metadata.rtpTimestamp ?? null) : watch.own.rtpTimestampAt(captureTime ?? now);
    const serverNow = watch.own === null ? watch.serverNow() : null;
    // some browsers say a display time in the past; what is shown cannot be newer than now
    const shownAt = Math.max(now, expectedDisplayTime);
    watch.frames.handleFrame({ rtpTimestamp, width, height, shownAt }, serverNow, now);
    if (serverNow !== null && context !== null && watch.frames.expectsBarcode && now - readAt >= READ_EVERY_MS) {
      readAt = now;
      const region = stripRegion(video.videoHeight);
      context.drawImage(video, 0, 0, region.width, region.height, 0, 0, STRIP_WIDTH, STRIP_HEIGHT);
      const frame = readStrip(context.getImageData(0, 0, STRIP_WIDTH, STRIP_HEIGHT).data);
      if (frame !== null) watch.frames.handleReading(frame, serverNow + (shownAt - now), now);
    }
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
