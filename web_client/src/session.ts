/**
 * One participant's stay in a room: joins the managers, which know nothing of each other.
 *
 *   Connection ─welcome, notices─▶ Room, Replica, EphemeralLane, Receiver, FrameClocks
 *   Tools, Publisher, Receiver ─what they say─▶ Connection (and the data channel `ephemeral`)
 *
 * No page in here: the user interface listens to `changed` and reads.
 */
import { Replica } from './annotation/document';
import { EphemeralLane } from './annotation/ephemeral';
import { Followed } from './annotation/movement';
import { Tools, type OutgoingEphemeral } from './annotation/tools';
import { Emitter } from './emitter';
import { Catalogue } from './dicom/catalogue';
import { Guidance } from './guidance';
import { Presenting, type PresentingAnnouncement } from './dicom/presenting';
import { Manners, type MannersAnnouncement } from './manners';
import { Marking } from './marking';
import { FrameClock } from './media/frame_clock';
import type { Publisher, SentSource } from './media/publisher';
import type { Receiver } from './media/receiver';
import { Views } from './media/views';
import { Pens } from './pens';
import { ServerClock } from './signalling/clock';
import { Connection, type ConnectionState, type DoorPlace, type OpenSocket } from './signalling/connection';
import {
  RequestError,
  isDisconnection,
  parseMessage,
  type ClientOperation,
  type Delivery,
  type EphemeralMessage,
  type NamingNotice,
  type Mark,
  type Notice,
  type Participant,
  type ProducerId,
  type PublishedSource,
  type Recording,
  type Reply,
  type Request,
  type Welcome,
} from './signalling/protocol';
import { Room } from './signalling/room';
import { TurnServers, type Lent } from './signalling/turn';
import { Stills } from './stills';
import { Theatre, type TheatreAnnouncement } from './theatre';
import type { Timers } from './timers';
import { Unsent } from './unsent';

export type Announcement =
  | { kind: 'joined' | 'left' | 'timed_out' | 'removed'; participant: Participant }
  | MannersAnnouncement
  | PresentingAnnouncement
  | TheatreAnnouncement
  | { kind: 'recording_started' | 'recording_stopped' | 'recording_failed' | 'recording_interrupted' | 'recording_resumed' | 'recording_resumed_whole'; by: string }
  | { kind: 'mark_refused' | 'request_refused'; code: string; message: string }
  | { kind: 'marks_lost'; count: number }
  | { kind: 'message_lost'; text: string }
  | { kind: 'resumed' | 'rejoined' };

interface SessionEvents {
  connection: { state: ConnectionState; code: string; message: string; reason: string };
  /** Where one stands at the door; null: one does not. */
  waiting: DoorPlace | null;
  room: undefined;
  marks: undefined;
  tracks: undefined;
  /** Marks that had fallen silent are heard of again. */
  followed: undefined;
  media: undefined;
  /** What one is sent of a producer has become less, or again the best, or it cannot be played here. */
  delivery: undefined;
  announcement: Announcement;
}

/** What may be asked twice, since it says how a thing shall be and not that it shall change. */
const REPEATABLE: ReadonlySet<string> = new Set<Request['type']>(['mute', 'pause', 'hand', 'lock', 'permit', 'restrict', 'orient', 'freeze']);

export class Session extends Emitter<SessionEvents> {
  readonly connection: Connection;
  readonly room = new Room();
  readonly manners: Manners;
  readonly presenting: Presenting;
  readonly theatre: Theatre;
  readonly catalogue = new Catalogue();
  readonly replica = new Replica();
  readonly ephemeral = new EphemeralLane();
  /** How far the server has looked where marks have gone. */
  readonly followed = new Followed();
  readonly tools = new Tools('0');
  readonly pens: Pens;
  readonly guidance: Guidance;
  readonly stills: Stills;
  readonly unsent: Unsent;
  readonly clock = new ServerClock();
  readonly receiver: Receiver;
  readonly publisher: Publisher;
  readonly views: Views;
  /** What was said of each producer that is not sent at its best. */
  readonly deliveries = new Map<ProducerId, Delivery>();
  /** Producers that are not sent, since this browser does not know their codec: by the newest answer. */
  unplayable: ReadonlySet<ProducerId> = new Set();
  readonly #frames = new Map<ProducerId, FrameClock>();
  readonly #timers: Timers;
  #count = 0;
  #seekingPath = false;
  /** The recording, if it was interrupted when it was last heard of. */
  #interrupted: Recording | null = null;
  /** The newest offer that was answered. */
  #answered = 0;
  readonly #turn: TurnServers;
  readonly #marking: Marking;

  constructor(options: { open: OpenSocket; token: string; timers: Timers; receiver: Receiver; publisher: Publisher }) {
    super();
    this.#timers = options.timers;
    this.receiver = options.receiver;
    this.publisher = options.publisher;
    this.views = new Views(options.timers);
    this.unsent = new Unsent(options.timers);
    this.manners = new Manners(this.room, this.publisher, (request) => this.#tell(request, 'not_found'));
    this.presenting = new Presenting(options.timers, (request) => this.#tell(request, 'not_found'), (message) => {
      const sent = this.serverNow();
      if (sent !== null) this.connection.sendEphemeral({ ...message, sent });
    });
    this.theatre = new Theatre((request) => this.#tell(request), (permission) => this.room.may(permission));
    const { open, token, timers } = options;
    this.connection = new Connection({ open, token, timers, marksAfter: () => this.replica.sequence });
    this.#turn = new TurnServers(timers, ({ lifetime }) => this.#lend(lifetime), (servers) => {
      this.publisher.setIceServers(servers);
      this.receiver.setIceServers(servers);
    });
    this.#marking = new Marking(this.replica, () => this.self, (request) => this.connection.request(request), (kind, error) => this.#announceRefusal(kind, error));
    this.pens = new Pens(this.tools, this.replica, timers);
    this.stills = new Stills(this.replica, () => this.room.self, async (producer, rtp_timestamp, for_all) =>
      (await this.#ask({ type: 'freeze', producer, rtp_timestamp, for_all, label: '' }))?.still ?? null,
      () => this.serverNow(),
    );
    const visit = randomPart();
    this.guidance = new Guidance(this.room, this.replica, (operation) => this.operate(operation), () => `${(this.room.self ?? '').slice(-8)}-${visit}`);
    this.#listenToConnection();
    this.#listenToMedia();
    this.#listenToMarks();
  }

  get self(): Participant | null {
    return this.room.self === null ? null : (this.room.participants.get(this.room.self) ?? null);
  }

  start(): void {
    this.connection.start();
  }

  /** TURN servers for connections to be made, with credentials that hold. */
  get iceServers(): RTCIceServer[] {
    return this.#turn.servers;
  }

  /**
   * The network has changed, or nothing comes any more: seek new ways for everything, while the old ones go on. The
   * signalling goes first, since the restarts of both media connections are agreed on over it.
   */
  handleNetworkChange(): void {
    if (this.connection.state === 'closed') return;
    this.#seekingPath = true;
    this.connection.handleNetworkChange();
  }

  leave(): void {
    this.#turn.stop();
    this.views.stop();
    this.presenting.stopTimers();
    this.connection.close();
    this.receiver.reset();
    this.publisher.close();
  }

  /** The clock of one producer's pictures, made at the first use. */
  frames(producer: ProducerId): FrameClock {
    const known = this.#frames.get(producer) ?? new FrameClock();
    this.#frames.set(producer, known);
    return known;
  }

  serverNow(): number | null {
    return this.clock.serverTime(this.#timers.now());
  }

  /** Ask for an operation that needs no showing beforehand: undo, a clear, a note. False: it was refused, which has been announced. */
  operate(operation: ClientOperation): Promise<boolean> {
    return this.#tell({ type: 'mark', operation });
  }

  /** Write to everybody, over breaks of the line, and once. False: it was refused or lost, which has been announced. */
  async say(text: string): Promise<boolean> {
    const before = this.replica.sequence;
    const author = this.room.self;
    // an answer may be lost that the room has heard: then the log has it, which a welcome brings
    const arrived = (): boolean => this.replica.chat.some((line) => line.sequence > before && line.author === author && line.text === text);
    const over = this.unsent.beginMessage();
    try {
      const reply = await this.connection.insist({ type: 'mark', operation: { kind: 'say', text } }, () => !arrived());
      if (reply !== null || arrived()) return true;
      this.emit('announcement', { kind: 'message_lost', text });
    } catch (error) {
      this.#announceRefusal('request_refused', error);
    } finally {
      over();
    }
    return false;
  }

  /** Put changed marks of one's own in the place of those of the same identifiers: one undo takes all of them back. */
  edit(marks: readonly Mark[]): void {
    this.#marking.edit(marks);
  }

  setRecording(action: 'start' | 'stop'): void {
    void this.#tell({ type: 'record', action });
  }

  /** False: it was refused, which has been announced. */
  setMuted(producer: ProducerId, muted: boolean): Promise<boolean> {
    return this.#tell({ type: 'mute', producer, muted });
  }

  /** Ask for something; a refusal is announced, not thrown, but for the one that is no news. */
  async #tell(request: Request, noNews = ''): Promise<boolean> {
    return (await this.#ask(request, noNews)) !== null;
  }

  /** The same, for the answer; null: it was refused. */
  async #ask(request: Request, noNews = ''): Promise<Reply | null> {
    try {
      return await this.connection.request(request);
    } catch (error) {
      // a second socket took over meanwhile: what may be said twice is
      if (isDisconnection(error) && this.connection.state === 'connected' && REPEATABLE.has(request.type)) return this.#ask(request, noNews);
      if (!(error instanceof RequestError && error.code === noNews)) this.#announceRefusal('request_refused', error);
      return null;
    }
  }

  /** Ask over breaks until it is answered, while it is wanted; a refusal is announced. */
  async #insist(request: Request, wanted: () => boolean): Promise<Reply | null> {
    try {
      return await this.connection.insist(request, wanted);
    } catch (error) {
      if (this.connection.state !== 'closed') this.#announceRefusal('request_refused', error);
      return null;
    }
  }

  async #answer(revision: number, sdp: string): Promise<void> {
    this.#answered = revision;
    const isNewest = (): boolean => revision === this.#answered;
    const reply = await this.#insist({ type: 'answer', revision, sdp }, isNewest);
    if (reply === null || !isNewest()) return;
    this.unplayable = new Set(reply.refused ?? []);
    this.emit('delivery', undefined);
  }

  #announceRefusal(kind: 'mark_refused' | 'request_refused', error: unknown): void {
    if (!(error instanceof RequestError)) throw error;
    this.emit('announcement', { kind, code: error.code, message: error.message });
  }

  #listenToConnection(): void {
    this.connection.on('state', (state) => {
      this.emit('connection', state);
      if (state.state === 'closed') {
        this.emit('waiting', null);
        this.#turn.stop();
        this.receiver.reset();
        this.publisher.close();
      }
    });
    this.connection.on('waiting', (place) => this.emit('waiting', place));
    this.connection.on('welcome', ({ welcome, resumed, seamless }) => this.#handleWelcome(welcome, resumed, seamless));
    this.connection.on('notice', (notice) => this.#handleNotice(notice));
    this.connection.on('pong', ({ sentAt, serverTime }) => {
      this.clock.handlePong(sentAt, serverTime, this.#timers.now());
    });
    this.room.on('changed', () => this.emit('room', undefined));
    // that a recording is shown, and no more, is said as such
    this.room.on('joined', (participant) => participant.recorded !== true && this.emit('announcement', { kind: 'joined', participant }));
    this.room.on('left', ({ participant, reason }) => {
      this.ephemeral.handleLeft(participant.participant);
      if (participant.recorded !== true) this.emit('announcement', { kind: LEFT[reason], participant });
    });
    this.manners.on('announcement', (announcement) => this.emit('announcement', announcement));
    this.presenting.on('announcement', (announcement) => this.emit('announcement', announcement));
    this.theatre.on('announcement', (announcement) => this.emit('announcement', announcement));
    this.room.on('recording', (recording) => {
      const broken = this.#interrupted;
      this.#interrupted = recording?.state === 'interrupted' ? recording : null;
      const lost = (recording?.missing?.packets ?? 0) > (broken?.missing?.packets ?? 0);
      const kind =
        recording === null ? 'recording_stopped'
        : broken !== null && recording.state === 'recording' ? lost ? 'recording_resumed' : 'recording_resumed_whole'
        : `recording_${STARTED[recording.state]}` as const;
      this.emit('announcement', { kind, by: recording?.by ?? '' });
    });
    this.room.on('producer_removed', (producer) => {
      this.#frames.delete(producer);
      this.deliveries.delete(producer);
      this.views.handleRemoved(producer);
    });
  }

  #handleWelcome(welcome: Welcome, resumed: boolean, seamless: boolean): void {
    const before = this.room.self;
    this.emit('waiting', null);
    this.#interrupted = welcome.recording?.state === 'interrupted' ? welcome.recording : null;
    this.#turn.handle({ servers: welcome.ice_servers, lifetime: welcome.ice_lifetime });
    this.clock.handleWelcome(welcome.time, this.#timers.now());
    if (!resumed) {
      const lost = this.replica.pending.length;
      if (before !== null && lost > 0) this.emit('announcement', { kind: 'marks_lost', count: lost });
      this.replica.reset();
      this.stills.reset();
      this.receiver.reset();
      // the part after `pt-`, and a random one: the same person may have the page open twice in a day
      this.tools.setPrefix(`${welcome.self.replace(/[^A-Za-z0-9]/g, '').slice(-8)}-${randomPart()}`);
    }
    this.room.handleWelcome(welcome);
    this.presenting.handleWelcome(welcome);
    this.theatre.handleWelcome();
    // what was said of the pictures during a break was not heard: it is said anew
    this.deliveries.clear();
    if (!resumed) this.unplayable = new Set();
    this.emit('delivery', undefined);
    this.replica.handleSnapshot(welcome.marks);
    if (resumed) {
      this.#marking.resume();
      this.views.tellAnew();
      this.#healMedia();
    } else {
      // under a new identity both connections are new: there is no way to seek for the old ones
      this.#seekingPath = false;
      if (before !== null) this.publisher.restart();
    }
    if (before !== null && !seamless) this.emit('announcement', { kind: resumed ? 'resumed' : 'rejoined' });
  }

  async #lend(lifetime: number): Promise<Lent | 'refused' | 'away'> {
    try {
      const { ice_servers, ice_lifetime } = await this.connection.request({ type: 'ice_servers' });
      return { servers: ice_servers ?? [], lifetime: ice_lifetime ?? lifetime };
    } catch (error) {
      return !isDisconnection(error) && this.connection.state === 'connected' ? 'refused' : 'away';
    }
  }

  #handleFollowed(producer: ProducerId, rtpTimestamp: number): void {
    const behind = this.frames(producer).behind(rtpTimestamp);
    if (this.followed.handle(producer, behind ?? 0, this.#timers.now())) this.emit('followed', undefined);
  }

  #handleNotice(notice: Notice): void {
    switch (notice.type) {
      case 'offer':
        void this.receiver.handleOffer(notice);
        break;
      case 'clock':
        this.frames(notice.producer).handleClock(notice);
        break;
      case 'barcode':
        this.frames(notice.producer).handleBarcode(notice);
        break;
      case 'delivery':
        if (notice.reason === 'none') this.deliveries.delete(notice.producer);
        else this.deliveries.set(notice.producer, notice);
        this.emit('delivery', undefined);
        break;
      case 'encodings':
        this.publisher.handleEncodings(notice.producer, notice.active);
        break;
      case 'naming':
        this.#handleNaming(notice);
        break;
      case 'followed':
        this.#handleFollowed(notice.producer, notice.rtp_timestamp);
        break;
      case 'pointer':
      case 'stroke':
        this.ephemeral.handleMessage(notice, this.#timers.now());
        this.emit('marks', undefined);
        break;
      case 'studies':
        this.catalogue.handleStudies(notice.studies, notice.aside ?? null);
        break;
      case 'presenter':
        this.presenting.handlePresenter(notice);
        break;
      case 'showing':
        this.theatre.handleShowing(notice.showing, notice.reason);
        break;
      case 'viewport':
        this.presenting.handleViewport(notice);
        break;
      case 'operation':
        if (notice.operation.kind === 'add') this.ephemeral.handleMark(notice.operation.mark.mark);
        this.replica.handleOperation(notice);
        break;
      default:
        this.room.handleNotice(notice);
    }
  }

  #handleNaming({ producer, rtp_timestamp, time, offsets }: NamingNotice): void {
    this.publisher.handleNaming(producer, {
      rtpTimestamp: rtp_timestamp,
      at: time - performance.timeOrigin,
      offsets: new Map(offsets.map(({ ssrc, offset }) => [ssrc, offset])),
    });
  }

  #listenToMedia(): void {
    this.receiver.on('answer', ({ revision, sdp }) => {
      void this.#answer(revision, sdp);
      this.views.tellAnew();
    });
    this.views.on('view', ({ producer, width, height }) => {
      // one's own producers are not sent to oneself, and one that has just ended needs no size
      if (!this.receiver.tracks.has(producer)) return;
      this.connection.request({ type: 'view', producer, width, height }).catch((error: unknown) => {
        if (!(error instanceof RequestError)) throw error;
      });
    });
    this.receiver.on('tracks', (tracks) => {
      // a new connection begins with everything: the server only tells what it holds back
      for (const producer of this.deliveries.keys()) if (!tracks.has(producer)) this.deliveries.delete(producer);
      this.emit('delivery', undefined);
      this.emit('tracks', undefined);
    });
    this.receiver.on('state', () => this.emit('media', undefined));
    this.receiver.on('path_lost', () => this.handleNetworkChange());
    this.publisher.on('path_lost', () => this.handleNetworkChange());
    this.receiver.on('failed', () => this.#healReceiver());
    this.receiver.on('ephemeral', (text) => {
      const message = parseMessage(text);
      if (message?.type === 'pointer' || message?.type === 'stroke') this.#handleNotice(message);
    });
    this.publisher.ask = (offer, wanted) => this.connection.insist({ type: 'publish', ...offer }, wanted);
    this.publisher.on('refused', ({ error, offered, fresh }) => this.#handleRefusedOffer(error, offered, fresh));
    this.publisher.on('changed', () => this.emit('media', undefined));
    this.publisher.on('failed', () => this.#healPublisher());
  }

  #handleRefusedOffer(error: unknown, offered: readonly PublishedSource[], fresh: readonly SentSource[]): void {
    // it ended at the server while this page slept: what is sent goes on over a new one
    if (error instanceof RequestError && error.code === 'connection_gone') return this.publisher.restart();
    if (offered.some(({ source }) => !this.room.maySend(source))) {
      // forbidden while the offer was under way, which has been announced: what is left goes out anew
      this.manners.giveUpForbidden();
      return this.publisher.restart();
    }
    if (error instanceof RequestError) this.#announceRefusal('request_refused', error);
    // the browser itself could not make the offer, or take the server's answer
    else this.emit('announcement', { kind: 'request_refused', code: 'bad_sdp', message: String(error) });
    this.publisher.goOnWithout(fresh);
  }

  /** The server can be reached again: renew what failed meanwhile, and seek new ways for the rest if they are wanted. */
  #healMedia(): void {
    const seeking = this.#seekingPath;
    this.#seekingPath = false;
    if (seeking && !this.publisher.guard.lost) this.publisher.restartIce();
    if (seeking && !this.receiver.missing && this.receiver.connected) {
      this.receiver.guard.handleRestart();
      void this.#insist({ type: 'restart_ice' }, () => this.receiver.connected && this.receiver.guard.state !== 'steady');
    }
    this.#healPublisher();
    this.#healReceiver();
  }

  /** Publish anew what failed, as soon as the server can be reached. */
  #healPublisher(): void {
    if (this.connection.state === 'connected' && this.publisher.guard.lost) this.publisher.restart();
  }

  /** Ask for a receiving connection in the place of the failed one; where none comes the guard says so again. */
  #healReceiver(): void {
    if (this.connection.state !== 'connected' || !this.receiver.missing) return;
    this.receiver.reset(true);
    this.connection.request({ type: 'rewatch' }).catch((error: unknown) => {
      if (!isDisconnection(error) && this.connection.state === 'connected') this.#announceRefusal('request_refused', error);
    });
  }

  #listenToMarks(): void {
    this.replica.on('changed', () => {
      this.unsent.handleMarks(this.replica.pending.map(({ mark }) => mark));
      this.emit('marks', undefined);
    });
    this.tools.on('mark', (mark) => this.#marking.add(mark));
    this.tools.on('ephemeral', (message) => this.#sendEphemeral(message));
    this.tools.on('changed', () => this.emit('marks', undefined));
    this.pens.on('edit', (marks) => this.edit(marks));
    this.pens.on('operation', (operation) => void this.operate(operation));
    this.pens.on('changed', () => this.emit('marks', undefined));
  }

  #sendEphemeral(message: OutgoingEphemeral): void {
    const sent = this.serverNow();
    if (sent === null) return;
    this.#count += 1;
    const stamped: EphemeralMessage = { ...message, sent, n: this.#count };
    if (!this.receiver.sendEphemeral(JSON.stringify(stamped))) this.connection.sendEphemeral(stamped);
  }
}

const LEFT = { left: 'left', timeout: 'timed_out', removed: 'removed', room_ended: 'left' } as const;
const STARTED = { recording: 'started', interrupted: 'interrupted', failed: 'failed' } as const;

function randomPart(): string {
  return crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36) ?? '0';
}
