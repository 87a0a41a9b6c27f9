/**
 * Have the browser ask for its round trip (RFC 3611, RRTR and DLRR) although it only receives: without it Chromium
 * never says when a frame was captured (`captureTime`). It can, but agrees to it only if its own description says so.
 */
export function askForReferenceTimes(answer: string): string {
  if (/^a=rtcp-fb:\S+ rrtr\r?$/m.test(answer)) return answer;
  return answer.replace(/^a=rtcp-fb:(\S+) nack pli(\r?\n)/gm, (line: string, type: string, end: string) => `${line}a=rtcp-fb:${type} rrtr${end}`);
}
