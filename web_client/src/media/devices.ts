/** Cameras and microphones: which there are, which was chosen last time, and why one could not be had. */

export type CaptureFailure = 'insecure' | 'no_permission' | 'no_device' | 'device_busy' | 'cancelled' | 'failed';

export interface Devices {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
}

export interface DeviceChoice {
  camera: string | null;
  microphone: string | null;
}

/** A camera that shows a face; the browser may give less. */
const FACE: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
/** The operating field: all that the grabber gives. */
const FIELD: MediaTrackConstraints = { width: { ideal: 3840 }, height: { ideal: 2160 }, frameRate: { ideal: 60 } };

/** Say why the browser refused a device, by the names of the Media Capture standard. */
export function captureFailure(error: unknown): CaptureFailure {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'no_permission';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'no_device';
  if (name === 'NotReadableError') return 'device_busy';
  if (name === 'AbortError') return 'cancelled';
  return typeof navigator !== 'undefined' && navigator.mediaDevices === undefined ? 'insecure' : 'failed';
}

export async function listDevices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return {
    cameras: all.filter((device) => device.kind === 'videoinput' && device.deviceId !== ''),
    microphones: all.filter((device) => device.kind === 'audioinput' && device.deviceId !== ''),
  };
}

/** Open the chosen camera, or another one where that is not plugged in today. */
export function openCamera(device: string | null): Promise<MediaStreamTrack> {
  return firstTrack({ video: { ...FACE, ...prefer(device) } });
}

export function openMicrophone(device: string | null): Promise<MediaStreamTrack> {
  return firstTrack({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...prefer(device) },
  });
}

/** Open exactly this device at its full size: another one must never be shown as the field by mistake. */
export function openFieldDevice(device: string): Promise<MediaStreamTrack> {
  return firstTrack({ video: { ...FIELD, deviceId: { exact: device } } });
}

export async function openScreen(): Promise<MediaStreamTrack> {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 30 } }, audio: false });
  return trackOf(stream);
}

export function rememberedChoice(store: Storage): DeviceChoice {
  return { camera: store.getItem('konsil.camera'), microphone: store.getItem('konsil.microphone') };
}

export function rememberChoice(store: Storage, choice: DeviceChoice): void {
  for (const kind of ['camera', 'microphone'] as const) {
    const device = choice[kind];
    if (device === null) store.removeItem(`konsil.${kind}`);
    else store.setItem(`konsil.${kind}`, device);
  }
}

function prefer(device: string | null): MediaTrackConstraints {
  return device === null ? {} : { deviceId: { ideal: device } };
}

async function firstTrack(constraints: MediaStreamConstraints): Promise<MediaStreamTrack> {
  if (navigator.mediaDevices === undefined) throw new Error('No media devices in an insecure page.');
  return trackOf(await navigator.mediaDevices.getUserMedia(constraints));
}

function trackOf(stream: MediaStream): MediaStreamTrack {
  const track = stream.getTracks()[0];
  if (track === undefined) throw new DOMException('The browser gave no track.', 'NotFoundError');
  return track;
}
