/**
 * The one position of a replay, which all its videos follow.
 *
 * The main video leads while it has a picture at this position; where it has none (it began later, or ended
 * sooner) the position runs by the clock. The others are steered: a small lead or lag by speed, a large one by
 * a jump. No element in here: `handleTick` is told what the videos say and returns what they are to do.
 */
import type { Camera } from './description';

/** Below a frame nobody sees it; a correction of 5 % is not heard. */
const TOLERANCE_S = 0.04;
const JUMP_S = 0.5;
const CORRECTION = 0.05;
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
  /** Whether this camera has a picture at the position. */
  visible: boolean;
}

export class Playhead {
  position = 0;
  playing = false;
  speed = 1;
  #tickAt: number | null = null;
  /** The videos have to be brought to the position before they may lead again. */
  #jumped = true;

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

  /** `now` in ms; one report and one command a camera, in their order. */
  handleTick(reports: readonly VideoReport[], now: number): Command[] {
    const elapsed = this.#tickAt === null ? 0 : (now - this.#tickAt) / 1000;
    this.#tickAt = now;
    const jumped = this.#jumped;
    if (this.playing && !jumped) this.#advance(reports, elapsed);
    this.#jumped = false;
    if (this.position >= this.seconds) this.playing = false;
    return this.cameras.map((camera, index) => this.#command(camera, reports[index], index, jumped));
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

  #command(camera: Camera, report: VideoReport | undefined, index: number, jumped: boolean): Command {
    const wanted = this.position - camera.offset;
    const visible = covers(camera, this.position);
    if (!visible || report === undefined) return { seek: null, play: false, rate: this.speed, visible };
    const ahead = report.currentTime - wanted;
    if (jumped) return { seek: wanted, play: this.playing, rate: this.speed, visible };
    if (index === this.main || !report.ready) return { seek: null, play: this.playing, rate: this.speed, visible };
    if (Math.abs(ahead) > (this.playing ? JUMP_S : TOLERANCE_S)) return { seek: wanted, play: this.playing, rate: this.speed, visible };
    const correction = Math.abs(ahead) <= TOLERANCE_S ? 0 : ahead > 0 ? -CORRECTION : CORRECTION;
    return { seek: null, play: this.playing, rate: this.speed * (1 + correction), visible };
  }
}

function covers(camera: Camera, position: number): boolean {
  return position >= camera.offset && position < camera.offset + camera.seconds;
}
