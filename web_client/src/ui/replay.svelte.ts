/** One open recording as the components see it: its videos, the position that they follow, and what is shown. */
import { THERE_S } from '../replay/arrival';
import { beginningOf, type Beginning } from '../replay/beginning';
import { GlassMoments } from '../replay/glass_moments';
import { KeyFirst } from '../replay/key_first';
import type { Camera, Description } from '../replay/description';
import { Playhead, SPEEDS, type Command } from '../replay/playhead';
import { Repeat } from '../replay/study_repeat';
import { ShownAuthors } from '../replay/study_shown';
import { Timeline, rtpTimestampAt } from '../replay/timeline';
import { PreviewGlass } from './preview_glass';
import type { ParticipantId, Point } from '../signalling/protocol';
import type { Drawing, OverlaySource } from './overlay_source';
import { ReplayOverlay } from './replay_overlay';
import { ReplayPlayer } from './replay_player';

/** Until frames have been seen to follow each other: no camera here has more than 60 a second. */
const SHORTEST_FRAME_S = 1 / 60;
/** A seek that shows no other frame within this time did not go far enough. */
const STEP_PATIENCE_MS = 120;
const STEP_TRIES = 24;
/** Of so many pictures beside the main one the preview is shown, too: each costs a piece and a decoder. */
const PREVIEWS_BESIDE = 3;

/** A step by one frame, until another frame is on the glass. */
interface Step {
  from: number;
  direction: 1 | -1;
  target: number;
  triedAt: number;
  tries: number;
}

export class Replay {
  position = $state(0);
  playing = $state(false);
  speed = $state(1);
  sound = $state(true);
  main = $state(0);
  /** Cameras that have a picture at this position, and those that the browser cannot play. */
  visible = $state.raw<readonly boolean[]>([]);
  unplayable = $state.raw<readonly boolean[]>([]);
  /** Cameras whose next pictures do not come for the time being. */
  waiting = $state.raw<readonly boolean[]>([]);
  /** Of which position the picture on a camera's glass is, where it is not that of this one; null: it is. */
  moments = $state.raw<readonly (number | null)[]>([]);
  /** Cameras whose picture of this position is waited for so long that it must be said. */
  lagging = $state.raw<readonly boolean[]>([]);
  /** Cameras over whose picture their preview lies, and those of which it must be said. */
  previewed = $state.raw<readonly boolean[]>([]);
  previewSaid = $state.raw<readonly boolean[]>([]);
  /** What a question shows in place of the experts' marks, and the pen on it. */
  quiz = $state.raw<(OverlaySource & { drawing: Drawing; heat: readonly Point[] }) | null>(null);
  hidden = $state.raw<ReadonlySet<ParticipantId>>(new Set());
  solo = $state.raw<ReadonlySet<ParticipantId>>(new Set());
  /** In and out, and what is played again and again. */
  range = $state.raw<Readonly<Pick<Repeat, 'from' | 'until' | 'on' | 'whole'>>>({ from: null, until: null, on: false, whole: false });
  /** Whose marks or pointers there are. */
  readonly authors: Description['participants'];
  readonly cameras: readonly Camera[];
  readonly overlay: ReplayOverlay;
  readonly beginning: Beginning;
  readonly #playhead: Playhead;
  readonly #repeat = new Repeat();
  readonly #shownAuthors: ShownAuthors;
  readonly #players: readonly ReplayPlayer[];
  readonly #glass: GlassMoments;
  readonly #keyFirst = new KeyFirst();
  /** Null: a microphone. */
  readonly #previews: readonly (PreviewGlass | null)[];
  readonly #canvases = new Set<number>();
  /** The others' previews are wished for when the main one is there. */
  #othersDue = false;
  #exactly = false;
  #mediaTime = 0;
  #frameInterval = Infinity;
  #step: Step | null = null;
  #shown = '';

  constructor(readonly description: Description) {
    this.cameras = description.cameras;
    this.#players = this.cameras.map((camera, index) => this.#player(camera, index));
    this.unplayable = this.cameras.map(() => false);
    this.waiting = this.cameras.map(() => false);
    this.#glass = new GlassMoments(this.cameras);
    this.beginning = beginningOf(this.cameras);
    this.main = this.beginning.main;
    this.#playhead = new Playhead(description.seconds, this.cameras, this.main);
    this.#previews = this.cameras.map((camera, index) => (camera.source === 'microphone' ? null : new PreviewGlass(description.recording, camera, () => this.#handlePreview(index))));
    this.#go(this.beginning.position);
    this.overlay = new ReplayOverlay(new Timeline(description), description);
    this.authors = description.participants.filter(
      ({ participant }) => description.operations.some(({ author, operation }) => author === participant && operation.kind === 'add') || description.pointers.some(({ author }) => author === participant),
    );
    this.#shownAuthors = new ShownAuthors(this.authors.map(({ participant }) => participant));
    this.overlay.on('changed', () => {
      // whoever asked the overlay itself to show all of them
      if (this.overlay.hidden.size === 0 && this.hidden.size > 0) this.#showAuthors((shown) => shown.showAll());
    });
  }

  /** The RTP timestamp of the frame that the main video shows. */
  get rtpTimestamp(): number | null {
    const camera = this.cameras[this.main];
    return camera === undefined || !this.visible[this.main] ? null : rtpTimestampAt(camera, this.#mediaTime);
  }

  #player(camera: Camera, index: number): ReplayPlayer {
    const put = (values: readonly boolean[], value: boolean): boolean[] => values.map((was, at) => (at === index ? value : was));
    return new ReplayPlayer(this.description.recording, camera, {
      onfailed: () => (this.unplayable = put(this.unplayable, true)),
      onwaiting: (waiting) => (this.waiting = put(this.waiting, waiting)),
      onframe: (mediaTime) => this.#handleFrame(index, mediaTime),
    });
  }

  attach(index: number, element: HTMLMediaElement): () => void {
    const detach = this.#players[index]?.attach(element, index !== this.main);
    this.#playhead.seek(this.#playhead.position);
    return () => detach?.();
  }

  /** The canvas that lies over a camera's video. */
  attachPreview(index: number, canvas: HTMLCanvasElement): () => void {
    this.#canvases.add(index);
    const detach = this.#previews[index]?.attach(canvas);
    return () => {
      this.#canvases.delete(index);
      detach?.();
    };
  }

  close(): void {
    for (const preview of this.#previews) preview?.close();
  }

  /** To be called for every frame of the screen. */
  tick(now: number): void {
    const playhead = this.#playhead;
    this.#continueStep(now);
    const reports = this.#players.map(({ report }) => report);
    const main = reports[this.main];
    // it is at its key frame, and not where it leads to
    if (main !== undefined && this.#keyFirst.pending) main.ready = false;
    const played = playhead.playing;
    // a preview has line and cores for itself until it is there
    const held = this.#previews[this.main]?.holds(now) === true;
    const commands = playhead.handleTick(reports, now, held);
    const back = played ? this.#repeat.back(playhead.position, playhead.seconds, this.beginning.position) : null;
    if (back !== null) {
      this.#go(back);
      playhead.play();
      this.#exactly = true;
    }
    commands.forEach((command, index) => {
      const [player, camera] = [this.#players[index], this.cameras[index]];
      if (player === undefined || camera === undefined || !player.attached) return;
      const jump = this.#jump(index, player, command, now);
      if (jump !== null) player.send(jump);
      const position = within(camera, playhead.position);
      const via = index === this.main ? this.#keyFirst.via : undefined;
      player.handleCommand(command, position, { speed: this.speed, beside: index !== this.main, via, held });
      if (!held) player.lookAfter(playhead.playing ? null : (via ?? position), now);
    });
    this.#tickPreviews(commands, held, now);
    this.#sayMoments(commands, held, now);
    this.position = playhead.position;
    this.playing = playhead.playing;
    this.overlay.pass(playhead.position);
    const shown = commands.map((command) => command.visible);
    if (shown.join() !== this.#shown) {
      this.#shown = shown.join();
      this.visible = shown;
    }
    // where the main camera has no picture the marks follow the position alone
    if (shown[this.main] !== true) this.overlay.show(playhead.position);
  }

  /** Where a camera's player jumps to now, or null: the large one by way of its key frame where the picture is far behind it. */
  #jump(index: number, player: ReplayPlayer, command: Command, now: number): number | null {
    if (index !== this.main) return command.seek;
    const shown = this.#glass.shown(index);
    if (command.seek === null) return this.#keyFirst.handleTick(player.settled, shown, now);
    const key = this.#exactly || this.#previews[index]?.on === true ? null : player.keyTime(command.seek);
    this.#exactly = false;
    return this.#keyFirst.begin(command.seek, key, shown);
  }

  #tickPreviews(commands: readonly Command[], held: boolean, now: number): void {
    const main = this.#previews[this.main];
    if (this.#othersDue && !(main?.show.coming === true && main.on)) {
      this.#othersDue = false;
      const others = [...this.#canvases].filter((index) => index !== this.main && commands[index]?.visible === true);
      for (const index of others.slice(0, PREVIEWS_BESIDE)) this.#wishPreview(index, now);
    }
    const said = this.#previews.map((preview, index) => {
      const player = this.#players[index];
      if (preview === null || player === undefined || !player.attached) return false;
      const isThere = playheadIsAt(this.cameras[index], this.#playhead.position, player.currentTime);
      preview.show.handleTick(!held && player.settled && isThere, now);
      return preview.show.isSaid(now);
    });
    if (said.join() !== this.previewSaid.join()) this.previewSaid = said;
    // one that was given up
    if (this.#previews.some((preview, index) => (preview?.show.shown ?? null) === null && this.previewed[index] === true)) this.#previews.forEach((_, index) => this.#handlePreview(index));
  }

  /** Another preview is on top of a camera's picture, or none any more. */
  #handlePreview(index: number): void {
    const span = this.#previews[index]?.show.shown ?? null;
    this.#glass.handlePreview(index, span?.from ?? null);
    if ((span !== null) !== (this.previewed[index] === true)) this.previewed = this.cameras.map((_, at) => (at === index ? span !== null : this.previewed[at] === true));
    const shown = this.#glass.shown(index);
    if (index === this.main && shown !== null) this.#showFrame(index, shown);
  }

  #wishPreview(index: number, now = performance.now()): void {
    const [preview, camera] = [this.#previews[index] ?? null, this.cameras[index]];
    if (preview === null || camera === undefined) return;
    // a question is answered on the sharp picture
    if (index === this.main && this.quiz !== null) return preview.stop();
    preview.wish(within(camera, this.#playhead.position), now);
    void preview.open();
  }

  /** Everything goes to this position, the large picture by its preview. */
  #go(position: number): void {
    this.#playhead.seek(position);
    this.position = this.#playhead.position;
    this.#othersDue = true;
    this.#wishPreview(this.main);
  }

  /** The preview of the very moment is on top. */
  #isPreviewed(index: number): boolean {
    const show = this.#previews[index]?.show;
    return show !== undefined && show.shown !== null && !show.coming;
  }

  /** A frame of the main camera is on the glass, its own or its preview's. */
  #showFrame(index: number, mediaTime: number): void {
    this.#mediaTime = mediaTime;
    this.overlay.show((this.cameras[index]?.offset ?? 0) + mediaTime);
  }

  #sayMoments(commands: readonly Command[], held: boolean, now: number): void {
    const changed = this.#glass.handleTick(
      this.#playhead.position,
      commands.map(({ visible }, index) => {
        const player = this.#players[index];
        if (player === undefined || !player.attached || !visible || this.cameras[index]?.source === 'microphone') return null;
        return {
          currentTime: player.currentTime,
          previewed: this.#isPreviewed(index),
          coming: held || player.seeking || (index === this.main && this.#keyFirst.pending) || (this.#glass.shown(index) === null && !player.hasPicture),
        };
      }),
      now,
    );
    if (changed) [this.moments, this.lagging] = [this.#glass.moments, this.#glass.lagging];
  }

  toggle(): void {
    this.#step = null;
    if (this.#playhead.playing) this.#playhead.pause();
    else this.#playhead.play();
  }

  pause(): void {
    this.#step = null;
    this.#playhead.pause();
  }

  /** Change in and out, or what is repeated. */
  setRange(change: (repeat: Repeat) => void): void {
    change(this.#repeat);
    const { from, until, on, whole } = this.#repeat;
    this.range = { from, until, on, whole };
  }

  /** `exactly`: no other picture is to be shown on the way. */
  seek(position: number, exactly = false): void {
    this.#step = null;
    this.#exactly = exactly;
    this.#go(position);
  }

  jump(seconds: number): void {
    this.seek(this.#playhead.position + seconds);
  }

  /** One frame of the main camera on or back: to the middle of it, whatever rounding the container has. */
  step(direction: 1 | -1): void {
    const camera = this.cameras[this.main];
    this.#playhead.pause();
    if (camera === undefined) return;
    const preview = this.#previews[this.main];
    // keys that are pressed faster than pictures come count all the same
    const next = preview?.neighbour(preview.show.coming ? (preview.show.wished ?? this.#mediaTime) : this.#mediaTime, direction) ?? null;
    if (next !== null) return this.seek(camera.offset + next, true);
    const from = this.#mediaTime;
    const target = from + (direction + 0.5) * this.#interval;
    this.#step = { from, direction, target, triedAt: performance.now(), tries: 1 };
    this.#exactly = true;
    this.#go(camera.offset + target);
  }

  get #interval(): number {
    return Number.isFinite(this.#frameInterval) ? this.#frameInterval : SHORTEST_FRAME_S;
  }

  /** The frame stands longer than was thought: go half a frame farther. */
  #continueStep(now: number): void {
    const [step, camera, player] = [this.#step, this.cameras[this.main], this.#players[this.main]];
    if (step === null || camera === undefined || player?.attached !== true) return;
    if (this.#mediaTime !== step.from || this.#playhead.playing || step.tries >= STEP_TRIES) this.#step = null;
    else if (!player.seeking && now - step.triedAt >= STEP_PATIENCE_MS) {
      step.target += (step.direction * this.#interval) / 2;
      step.triedAt = now;
      step.tries += 1;
      this.#exactly = true;
      this.#go(camera.offset + step.target);
    }
  }

  setSpeed(speed: number): void {
    this.speed = this.#playhead.speed = speed;
  }

  /** The next slower or faster speed. */
  shiftSpeed(by: 1 | -1): void {
    const at = SPEEDS.findIndex((speed) => speed === this.speed);
    this.setSpeed(SPEEDS[at + by] ?? this.speed);
  }

  setMain(index: number): void {
    // the one that was large goes to where it was on its way to
    const wished = this.#keyFirst.stop();
    if (wished !== null) this.#players[this.main]?.send(wished);
    this.main = index;
    this.#playhead.setMain(index);
    this.#frameInterval = Infinity;
    this.#step = null;
    // its times are its own: until it shows a frame it stands where the playhead does
    this.#mediaTime = this.#playhead.position - (this.cameras[index]?.offset ?? 0);
    this.#go(this.#playhead.position);
  }

  nextMain(): void {
    for (let step = 1; step <= this.cameras.length; step += 1) {
      const index = (this.main + step) % this.cameras.length;
      if (this.cameras[index]?.source !== 'microphone') return this.setMain(index);
    }
  }

  setHidden(author: ParticipantId, hidden: boolean): void {
    this.#showAuthors((shown) => shown.setOff(author, hidden));
  }

  /** Show one's marks alone, or no longer. */
  toggleSolo(author: ParticipantId): void {
    this.#showAuthors((shown) => shown.toggleSolo(author));
  }

  /** The next author's marks alone; null: all of them again. */
  nextSolo(): ParticipantId | null {
    return this.#showAuthors((shown) => shown.nextSolo());
  }

  #showAuthors<Result>(change: (shown: ShownAuthors) => Result): Result {
    const result = change(this.#shownAuthors);
    this.hidden = this.#shownAuthors.hidden;
    this.solo = new Set(this.authors.flatMap(({ participant }) => (this.#shownAuthors.isSolo(participant) ? [participant] : [])));
    this.overlay.setAllHidden(this.hidden);
    return result;
  }

  /** A frame is on the glass of a camera's player. */
  #handleFrame(index: number, mediaTime: number): void {
    const before = this.#glass.framed(index);
    this.#glass.handleFrame(index, mediaTime);
    const preview = this.#previews[index];
    const held = this.#previews[this.main]?.holds(performance.now()) === true;
    preview?.show.handlePicture(mediaTime, { seeking: held || this.#players[index]?.seeking === true, playing: this.playing });
    this.#handlePreview(index);
    // beneath a preview nobody sees it
    if (index !== this.main || (preview?.show.shown ?? null) !== null) return;
    const step = before === null || !this.playing ? 0 : mediaTime - before;
    // frames are left out at high speed: the shortest step is the true one
    if (step > 0.004 && step < 0.25) this.#frameInterval = Math.min(this.#frameInterval, step);
    this.#showFrame(index, mediaTime);
  }
}

/** A position as seconds of a camera, which has a beginning and an end. */
function within(camera: Camera, position: number): number {
  return Math.min(camera.seconds, Math.max(0, position - camera.offset));
}

function playheadIsAt(camera: Camera | undefined, position: number, currentTime: number): boolean {
  return camera !== undefined && Math.abs(within(camera, position) - currentTime) < THERE_S;
}
