/** Runs beside the page: lets every encoded frame pass untouched and reports its RTP timestamp. */

/** What the page is told of each frame; `at` is Unix ms with fractions, comparable between page and worker. */
export interface EncodedFrameReport {
  ssrc: number;
  rtpTimestamp: number;
  at: number;
}

interface EncodedFrame {
  getMetadata(): { rtpTimestamp?: number; synchronizationSource?: number };
}

interface TransformEvent extends Event {
  readonly transformer: { readable: ReadableStream<EncodedFrame>; writable: WritableStream<EncodedFrame> };
}

function report(): TransformStream<EncodedFrame, EncodedFrame> {
  return new TransformStream({
    transform(frame, controller) {
      const { rtpTimestamp, synchronizationSource: ssrc } = frame.getMetadata();
      // let it go before it is told of: this must not add to the picture's age
      controller.enqueue(frame);
      if (rtpTimestamp === undefined || ssrc === undefined) return;
      const message: EncodedFrameReport = { ssrc, rtpTimestamp, at: performance.timeOrigin + performance.now() };
      self.postMessage(message);
    },
  });
}

self.addEventListener('rtctransform', (event) => {
  const { readable, writable } = (event as TransformEvent).transformer;
  void readable.pipeThrough(report()).pipeTo(writable);
});
