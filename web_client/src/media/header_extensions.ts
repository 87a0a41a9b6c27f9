/** RTP header extensions that Chromium knows but negotiates only where it is asked to. */

const WANTED = new Set([
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
]);

interface HeaderExtensionCapability {
  uri: string;
  direction: string;
}

type Extended = RTCRtpTransceiver & {
  getHeaderExtensionsToNegotiate?: () => HeaderExtensionCapability[];
  setHeaderExtensionsToNegotiate?: (extensions: HeaderExtensionCapability[]) => void;
};

/** Ask for the time of capture, and for what says which layer a packet is of. Before the offer or the answer is made. */
export function wantHeaderExtensions(transceiver: RTCRtpTransceiver): void {
  const extended = transceiver as Extended;
  const extensions = extended.getHeaderExtensionsToNegotiate?.();
  if (extensions === undefined || extended.setHeaderExtensionsToNegotiate === undefined) return;
  for (const extension of extensions) if (WANTED.has(extension.uri)) extension.direction = 'sendrecv';
  extended.setHeaderExtensionsToNegotiate(extensions);
}
