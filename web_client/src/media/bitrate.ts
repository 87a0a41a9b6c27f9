/** Bitrates of what is published. */

/** A 4K field in H.264 needs about 20 Mbit/s; a face is well served by 1.5. */
export const FIELD_BITRATE = 20_000_000;
export const CAMERA_BITRATE = 1_500_000;
/** Chromium begins at 300 kbit/s and doubles every few seconds: a field would be a blur for half a minute. */
const FIELD_START_KBIT = 8000;

/** Write `x-google-start-bitrate` into the video formats of one section of an answer, unless it is there. */
export function seedStartBitrate(sdp: string, mid: string, kbit = FIELD_START_KBIT): string {
  const sections = sdp.split(/^(?=m=)/m);
  return sections.map((section) => (isVideoSection(section, mid) ? seedSection(section, kbit) : section)).join('');
}

function isVideoSection(section: string, mid: string): boolean {
  return section.startsWith('m=video') && section.split(/\r?\n/).includes(`a=mid:${mid}`);
}

function seedSection(section: string, kbit: number): string {
  if (section.includes('x-google-start-bitrate')) return section;
  const seed = `x-google-start-bitrate=${kbit}`;
  return section
    .split(/(?<=\n)/)
    .map((line) => {
      const format = /^a=rtpmap:(\d+) (?:H264|H265|VP8|VP9|AV1)\//.exec(line)?.[1];
      if (format !== undefined && !section.includes(`a=fmtp:${format} `)) return `${line}a=fmtp:${format} ${seed}\r\n`;
      const parameters = /^a=fmtp:\d+ (?!apt=)/.test(line);
      return parameters ? line.replace(/\r?\n$/, `;${seed}\r\n`) : line;
    })
    .join('');
}
