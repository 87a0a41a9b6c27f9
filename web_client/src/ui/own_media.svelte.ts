/** What one sends oneself, as the page shows and switches it: microphone, camera, the operating field. */
import { captureFailure, openCamera, openFieldDevice, openMicrophone, openScreen, rememberedChoice } from '../media/devices';
import { SENT_SOURCES, type SentSource } from '../media/publisher';
import type { ProducerId, Source } from '../signalling/protocol';
import type { Session } from '../session';
import { t } from '../words/language.svelte';

export interface Capture {
  camera: MediaStreamTrack | null;
  microphone: MediaStreamTrack | null;
  cameraDevice: string | null;
}

type Say = (tone: 'plain' | 'alarm', text: string) => void;

export class OwnMedia {
  microphoneOn = $state(false);
  cameraOn = $state(false);
  fieldOn = $state(false);
  /** What is captured and switched on, and yet is not sent: nobody hears or sees it. */
  unsent = $state.raw<ReadonlySet<SentSource>>(new Set());
  /** By the producer that each has become. */
  tracks = $state.raw<ReadonlyMap<ProducerId, MediaStreamTrack>>(new Map());
  /** A device is being opened or closed. */
  readonly #busy = new Set<SentSource>();
  /** Between asking for one's own unmuting and hearing of it, the room still says muted. */
  readonly #unmuting = new Set<SentSource>();

  constructor(
    private readonly session: Session,
    private readonly capture: Capture,
    private readonly say: Say,
  ) {}

  /** What was opened before the room was entered, for a look at oneself at the door. */
  get preview(): Pick<Capture, 'camera' | 'microphone'> {
    const { publisher } = this.session;
    return {
      camera: publisher.trackOf('camera') ?? this.capture.camera,
      microphone: publisher.trackOf('microphone') ?? this.capture.microphone,
    };
  }

  /** In the room for the first time: send what was chosen before, so far as one may. */
  begin(name: string): void {
    const { camera, microphone } = this.capture;
    if (microphone !== null && this.#may('microphone')) this.session.publisher.send('microphone', microphone, '');
    else microphone?.stop();
    if (camera !== null && this.#may('camera')) {
      this.#watchEnd('camera', camera);
      this.session.publisher.send('camera', camera, name);
    } else camera?.stop();
    this.read();
  }

  /** Off leaves the device open, so that on is at once; on opens one where there is none. */
  async toggleMicrophone(): Promise<void> {
    const { publisher } = this.session;
    const track = publisher.trackOf('microphone');
    if (!this.#may('microphone')) return;
    if (track !== null && track.readyState === 'live') {
      track.enabled = !track.enabled;
      if (track.enabled && publisher.isUnsent('microphone')) this.sendAgain();
      this.read();
      return this.#tellMuted('microphone', !track.enabled);
    }
    await this.#change('microphone', async () => {
      const fresh = await openMicrophone(rememberedChoice(localStorage).microphone || null);
      this.#sendOrStop('microphone', fresh, '');
    });
  }

  /** Off also turns the camera's light off; on opens it again. */
  async toggleCamera(): Promise<void> {
    const { publisher } = this.session;
    const track = publisher.trackOf('camera');
    if (!this.#may('camera')) return;
    await this.#change('camera', async () => {
      if (track !== null && track.readyState === 'live') {
        track.stop();
        publisher.withhold('camera', null);
        return this.#tellMuted('camera', true);
      }
      const fresh = await openCamera(this.capture.cameraDevice);
      this.#watchEnd('camera', fresh);
      if (publisher.trackOf('camera') === null) return this.#sendOrStop('camera', fresh, this.session.self?.name ?? '');
      publisher.withhold('camera', fresh);
      this.#tellMuted('camera', false);
    });
  }

  /** Share a device (its id) or a screen (null) as the operating field. */
  async shareField(device: string | null): Promise<void> {
    await this.#change('field', async () => {
      const track = device === null ? await openScreen() : await openFieldDevice(device);
      this.#watchEnd('field', track);
      this.session.publisher.trackOf('field')?.stop();
      this.#sendOrStop('field', track, t('source_field'));
    });
  }

  stopField(): void {
    this.session.publisher.trackOf('field')?.stop();
    this.session.publisher.stop('field');
    this.read();
  }

  /** Offer once more what was refused. */
  sendAgain(): void {
    this.session.publisher.retry();
  }

  /** Look anew at what is sent. */
  read(): void {
    const { publisher } = this.session;
    const own = new Map<ProducerId, MediaStreamTrack>();
    for (const source of SENT_SOURCES) {
      const [producer, track] = [publisher.producerOf(source), publisher.trackOf(source)];
      if (producer !== null && track !== null) own.set(producer, track);
    }
    this.tracks = own;
    const captured = (source: SentSource): boolean => {
      const track = publisher.trackOf(source);
      return track !== null && track.readyState === 'live' && track.enabled;
    };
    this.unsent = new Set(SENT_SOURCES.filter((source) => captured(source) && publisher.isUnsent(source)));
    this.microphoneOn = captured('microphone') && !this.unsent.has('microphone');
    this.cameraOn = captured('camera') && !this.unsent.has('camera');
    this.fieldOn = publisher.trackOf('field') !== null;
  }

  /** Somebody else has muted one of ours: what is no longer passed on must not look switched on. */
  obeyMute(): void {
    const { publisher, room } = this.session;
    for (const source of ['microphone', 'camera'] as const) {
      const producer = publisher.producerOf(source);
      const by = producer === null ? null : (room.producers.get(producer)?.muted_by ?? null);
      const track = publisher.trackOf(source);
      const isOn = source === 'microphone' ? this.microphoneOn : this.cameraOn;
      if (by === null || track === null || !isOn || this.#unmuting.has(source)) continue;
      if (source === 'microphone') track.enabled = false;
      else {
        track.stop();
        publisher.withhold('camera', null);
      }
      this.say('alarm', t(`said_${source}_muted_by`, { name: room.participants.get(by)?.name ?? t('role_chair') }));
      this.read();
    }
  }

  stop(): void {
    for (const source of SENT_SOURCES) this.session.publisher.trackOf(source)?.stop();
    this.capture.camera?.stop();
    this.capture.microphone?.stop();
  }

  #may(source: Source): boolean {
    return this.session.room.maySend(source);
  }

  /** While the device was being opened it may have been forbidden. */
  #sendOrStop(source: SentSource, track: MediaStreamTrack, label: string): void {
    if (this.#may(source)) this.session.publisher.send(source, track, label);
    else track.stop();
  }

  async #change(source: SentSource, change: () => Promise<void>): Promise<void> {
    if (this.#busy.has(source)) return;
    this.#busy.add(source);
    try {
      await change();
    } catch (error) {
      this.say('alarm', t(`capture_${captureFailure(error)}`));
    } finally {
      this.#busy.delete(source);
      this.read();
    }
  }

  #tellMuted(source: SentSource, muted: boolean): void {
    const producer = this.session.publisher.producerOf(source);
    if (producer === null) return;
    if (!muted) this.#unmuting.add(source);
    void this.session.setMuted(producer, muted).then(() => this.#unmuting.delete(source));
  }

  #watchEnd(source: 'camera' | 'field', track: MediaStreamTrack): void {
    track.addEventListener('ended', () => {
      if (this.session.publisher.trackOf(source) !== track) return;
      this.say('alarm', t(`said_${source}_ended`));
      if (source === 'field') this.session.publisher.stop('field');
      else this.#tellMuted('camera', true);
      this.read();
    });
  }
}
