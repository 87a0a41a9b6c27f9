/** Runs beside the page: lets every encoded frame pass untouched and reports its RTP timestamp. */

/** What the page is told of each frame; `at` is Unix ms with fractions, comparable between page and worker. */
export interface EncodedFrameReport {
  rtpTimestamp: number;
  at: number;
}

interface EncodedFrame {
  getMetadata(): { rtpTimestamp?: number };
}

interface TransformEvent extends Event {
  readonly transformer: { readable: ReadableStream<EncodedFrame>; writable: WritableStream<EncodedFrame> };
}

function report(): TransformStream<EncodedFrame, EncodedFrame> {
  return new TransformStream({
    transform(frame, controller) {
      // first of all let it go: this must not add to the picture's age
      controller.enqueue(frame);
      const { rtpTimestamp } = frame.getMetadata();
      if (rtpTimestamp === undefined) return;
      const message: EncodedFrameReport = { rtpTimestamp, at: performance.timeOrigin + performance.now() };
      self.postMessage(message);
    },
  });
}

self.addEventListener('rtctransform', (event) => {
  const { readable, writable } = (event as TransformEvent).transformer;
  void readable.pipeThrough(report()).pipeTo(writable);
});
