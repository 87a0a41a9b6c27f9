/**
 * The one position of a replay, which all its videos follow.
 *
 * The main video leads while it has a picture at this position; where it has none (it began later, or ended
 * sooner) the position runs by the clock. The others are steered: a small lead or lag by speed, a large one by
 * a jump. No element in here: `handleTick` is told what the videos say and returns what they are to do.
 */
import { pictureBegins } from './beginning';
import type { Camera } from './description';

/** Half a frame of 30 a second: with another at the other side it is one. Steered it is until there is next to nothing left. */
const APART_S = 0.016;
const TOGETHER_S = 0.005;
/** Paused, a jump costs more than a frame is worth. */
const TOLERANCE_S = 0.04;
const JUMP_S = 0.5;
/** What is not heard; and what is, for a second: a voice that is long beside its picture is worse. */
const CORRECTION = 0.05;
const HASTE = 0.25;
const FAR_S = 0.1;
/** A camera's first and last frame stand so long before and after it: tracks of one moment differ by less. */
const EDGE_S = 0.25;
/** A page that is not seen is called once a second or so; a computer that slept for the night has not watched it. */
const SLEPT_S = 10;
export const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4] as const;

export interface VideoReport {
  currentTime: number;
  /** It has data to play on, and is not seeking. */
  ready: boolean;
}

export interface Command {
  /** Media time to jump to, or null. */
  seek: number | null;
  play: boolean;
  rate: number;
  /** Whether this camera has a picture at the position: before it there may be sound. */
  visible: boolean;
}

export class Playhead {
  position = 0;
  playing = false;
  speed = 1;
  #tickAt: number | null = null;
  /** The videos have to be brought to the position before they may lead again. */
  #jumped = true;
  /** Cameras that are being brought together with the main one. */
  readonly #steered = new Set<number>();
  /** The main one has no data to play on. */
  #held = false;

  constructor(
    readonly seconds: number,
    private readonly cameras: readonly Camera[],
    public main: number,
  ) {}

  play(): void {
    if (this.position >= this.seconds - 0.05) this.seek(0);
    this.playing = true;
    this.#tickAt = null;
  }

  pause(): void {
    this.playing = false;
  }

  seek(position: number): void {
    this.position = Math.min(this.seconds, Math.max(0, position));
    this.#jumped = true;
  }

  setMain(main: number): void {
    this.main = main;
  }

  /** `now` in ms; one report and one command a camera, in their order. `held`: no player jumps yet. */
  handleTick(reports: readonly VideoReport[], now: number, held = false): Command[] {
    const since = this.#tickAt === null ? 0 : (now - this.#tickAt) / 1000;
    const elapsed = since > SLEPT_S ? 0 : since;
    this.#tickAt = now;
    const jumped = this.#jumped;
    if (this.playing && !jumped) this.#advance(reports, elapsed);
    const main = this.cameras[this.main];
    this.#held = main !== undefined && covers(main, this.position) && reports[this.main]?.ready === false;
    this.#jumped = jumped && held;
    if (this.position >= this.seconds) this.playing = false;
    return this.cameras.map((camera, index) => this.#command(camera, reports[index], index, jumped, held));
  }

  #advance(reports: readonly VideoReport[], elapsed: number): void {
    const camera = this.cameras[this.main];
    const report = reports[this.main];
    if (camera === undefined || report === undefined || !covers(camera, this.position)) {
      this.position = Math.min(this.seconds, this.position + elapsed * this.speed);
    } else if (report.ready) {
      // at its very end a video stops a little before the length that the file says
      const ended = report.currentTime >= camera.seconds - 0.1;
      const led = camera.offset + report.currentTime;
      this.position = Math.min(this.seconds, ended ? Math.max(led, this.position + elapsed * this.speed) : led);
    }
    // else: it buffers, and all wait for it
  }

  #command(camera: Camera, report: VideoReport | undefined, index: number, jumped: boolean, held: boolean): Command {
    const wanted = Math.min(camera.seconds, Math.max(0, this.position - camera.offset));
    const command = {
      seek: jumped && !held ? wanted : null,
      // while the main one buffers all wait for it: they would run ahead, and be thrown back, again and again
      play: this.playing && !(jumped && held) && covers(camera, this.position) && (index === this.main || !this.#held),
      rate: this.speed,
      visible: covers(camera, this.position, EDGE_S) && hasPicture(camera, this.position),
    };
    if (jumped || !covers(camera, this.position, EDGE_S) || index === this.main || report?.ready !== true) {
      this.#steered.delete(index);
      return command;
    }
    const ahead = report.currentTime - wanted;
    if (Math.abs(ahead) > JUMP_S || (!this.playing && Math.abs(ahead) > TOLERANCE_S)) return { ...command, seek: wanted };
    if (Math.abs(ahead) > APART_S * Math.max(1, this.speed)) this.#steered.add(index);
    else if (Math.abs(ahead) <= TOGETHER_S * Math.max(1, this.speed)) this.#steered.delete(index);
    if (!this.playing || !this.#steered.has(index)) return command;
    const correction = Math.abs(ahead) > FAR_S * Math.max(1, this.speed) ? HASTE : CORRECTION;
    return { ...command, rate: this.speed * (ahead > 0 ? 1 - correction : 1 + correction) };
  }
}

/** Where only its sound is there, yet or still, what a player shows is not of this moment. */
function hasPicture(camera: Camera, position: number): boolean {
  if ((camera.picture_at ?? 0) > 0 && position < pictureBegins(camera)) return false;
  const until = camera.picture_until ?? camera.seconds;
  return until >= camera.seconds || position < camera.offset + until + EDGE_S;
}

function covers(camera: Camera, position: number, edge = 0): boolean {
  return position >= camera.offset - edge && position < camera.offset + camera.seconds + edge;
}
