/** The image viewer's state as its components see it: what each pane shows, what is loaded, which hand the mouse is. */
import { dicomSheet, type Sheet } from '../../annotation/sheet';
import { textOf } from '../../dicom/attributes';
import { failure, FrameLoader, type FrameFailure } from '../../dicom/frames';
import { waysOfFrame, type Frame } from '../../dicom/image';
import { edgesOf, isMirrored, type Edges } from '../../dicom/orientation';
import { hasWindow, ownWindow, type Pixels } from '../../dicom/pixels';
import type { MeasuringShape } from '../../dicom/measurements';
import type { Hand } from '../../dicom/pane_keys';
import { Previews, PREVIEW_SIDE } from '../../dicom/previews';
import type { PresentingRole } from '../../dicom/presenting';
import type { CutName } from '../../dicom/reformat';
import { orderOfUse, placeIn, type Stack } from '../../dicom/stack';
import { EMPTY, UPRIGHT, withLayout, withPane, type Layout, type PaneState, type Plane, type Slab, type ViewportState } from '../../dicom/viewport';
import type { SeriesFacts, SeriesState, StudyFacts } from '../../dicom/catalogue';
import { placeOf, sliceThrough } from '../../dicom/volume';
import type { Anchor, ParticipantId } from '../../signalling/protocol';
import { pageTimers } from '../../timers';
import { t } from '../../words/language.svelte';
import type { Live } from '../live.svelte';
import type { Drawing } from '../overlay_source';
import { CutPanes } from './cut_panes';
import { sayFailure } from './failure_words';
import { FilmPanes } from './film_panes';
import type { FilmPlayer } from './film_player';
import type { ViewerHost } from './viewer_host';

export type { Hand };

/** Frames that are fetched beforehand, at most. */
const AHEAD = 400;
const AHEAD_BYTES = 384 << 20;

/** What stands in a pane at this moment. */
export interface Shown {
  state: PaneState;
  series: SeriesState;
  stack: Stack | null;
  /** The frame, or the cut as a frame. */
  frame: Frame | null;
  /** Null: it is being loaded. */
  pixels: Pixels | null;
  /** What stands in for pixels that are long in coming. */
  preview: ImageBitmap | null;
  failure: FrameFailure | null;
  /** The place in the stack, or the cut's number, from 0; and how many there are. */
  at: number;
  count: number;
  /** Of a film: who plays it. */
  film: FilmPlayer | null;
  /** Of a cut: how many of the frames that it is made of are there. */
  loaded: number;
}

export class Viewer<Host extends ViewerHost = Live> {
  state = $state.raw<ViewportState>(EMPTY);
  role = $state<PresentingRole>('alone');
  presenter = $state<ParticipantId | null>(null);
  asking = $state.raw<readonly ParticipantId[]>([]);
  asksMyself = $state(false);
  studies = $state.raw<readonly StudyFacts[]>([]);
  /** What the left button, one finger or the arrow keys do in a pane. */
  hand = $state<Hand>('scroll');
  /** Counts what was loaded: whoever shows something reads it. */
  news = $state(0);
  readonly loader: FrameLoader;
  readonly cuts: CutPanes;
  readonly films: FilmPanes;
  readonly previews: Previews<ImageBitmap>;
  readonly #forwards = new Map<number, boolean>();
  readonly #films = new Map<number, ReturnType<typeof setTimeout>>();
  readonly #ends: (() => void)[];
  #newsDue = false;

  constructor(
    readonly live: Host,
    /** How the pen works on an image; null: it does not. */
    readonly drawing: (anchor: () => Anchor | null) => Drawing | null = () => null,
  ) {
    const { session } = live;
    this.loader = new FrameLoader((frame, signal) => live.images.frame(frame, signal));
    this.cuts = new CutPanes(this.loader);
    this.films = new FilmPanes(live.images, { frame: (index, frame) => this.#handleFilm(index, frame), picture: () => this.#tell() });
    this.previews = new Previews(this.loader, async (frame, window, signal) => createImageBitmap(await live.images.rendered(frame, PREVIEW_SIDE, signal, window)), pageTimers);
    const presenting = session.presenting;
    this.#ends = [
      presenting.on('state', (state) => this.#take(state)),
      presenting.on('changed', () => this.#readPresenting()),
      session.catalogue.on('studies', (studies) => {
        this.studies = studies;
        this.#tell();
      }),
      session.catalogue.on('series', () => this.#handleLoaded()),
      this.loader.on('frame', (frame) => {
        this.cuts.handleFrame(frame);
        this.#handleLoaded();
      }),
      this.previews.on('preview', () => this.#tell()),
      // the server is there again
      session.connection.on('welcome', () => this.retry()),
      this.cuts.cutter.on('cut', () => this.#tell()),
      this.cuts.cutter.on('lost', () => this.#handleLoaded()),
      // a tool chosen by its key or in the dock is meant for here
      session.tools.on('changed', () => {
        if (session.tools.tool !== this.tool) this.hand = 'draw';
        this.tool = session.tools.tool;
      }),
    ];
    this.tool = session.tools.tool;
    this.studies = session.catalogue.studies;
    this.#readPresenting();
    this.#take(presenting.state);
  }

  /** The pen's tool, as it was last heard of. */
  tool = $state('');

  close(): void {
    for (const end of this.#ends) end();
    for (const timer of this.#films.values()) clearTimeout(timer);
    this.cuts.close();
    this.films.close();
    this.previews.close();
    this.loader.close();
  }

  get active(): PaneState | null {
    return this.state.panes[this.state.active] ?? null;
  }

  // what stands in the panes

  /** What a pane shows now. Reads `news`, so that it is read anew when something was loaded. */
  shown(index: number): Shown | null {
    void this.news;
    const state = this.state.panes[index];
    if (state === null || state === undefined) return null;
    const { catalogue } = this.live.session;
    const series = catalogue.series(this.live.images, state.study, state.series);
    const empty: Shown = { state, series, stack: null, frame: null, pixels: null, preview: null, failure: null, at: 0, count: 0, film: null, loaded: 0 };
    if (series.kind !== 'ready') return empty;
    const { stack } = series;
    if (state.plane !== 'stack') return this.cuts.shown(empty, stack, String(index), state);
    const at = placeIn(stack, state);
    const frame = stack.frames[at] ?? null;
    const count = stack.frames.length;
    // another image in its place would be taken for the one that was meant
    if (frame === null) return { ...empty, stack, count, at: Math.min(state.slice, Math.max(0, count - 1)), failure: count === 0 ? null : failure('missing') };
    if (this.isFilm(state)) return { ...empty, stack, frame, film: this.films.player(index), at, count };
    const loaded = this.loader.state(frame);
    return {
      ...empty,
      stack,
      frame,
      pixels: loaded !== null && 'pixels' in loaded ? loaded.pixels : null,
      preview: loaded === null ? this.previews.of(String(index), frame) : null,
      failure: loaded !== null && 'failed' in loaded ? loaded.failed : null,
      at,
      count,
    };
  }

  /** Fetch again what could not be reached. */
  retry(): void {
    for (const pane of this.state.panes) if (pane !== null) this.live.session.catalogue.retry(pane.series);
    this.loader.retry();
    this.films.retry();
    this.#handleLoaded();
  }

  edges(shown: Shown): Edges | null {
    return shown.frame === null ? null : edgesOf(waysOfFrame(shown.frame), shown.state.rotation, shown.state.flip);
  }

  mirrored(shown: Shown): boolean {
    return isMirrored(shown.frame === null ? null : waysOfFrame(shown.frame), shown.state.flip);
  }

  /** What marks of a pane hang on; null: it shows a cut, or nothing. */
  anchor(shown: Shown | null): { SOPInstanceUID: string; frame: number } | null {
    if (shown?.frame == null || shown.state.plane !== 'stack') return null;
    // on a film, the frame that is on the glass
    return { SOPInstanceUID: shown.frame.of.instance, frame: shown.film?.picture?.frame ?? shown.frame.frame };
  }

  sheet(shown: Shown | null): Sheet {
    const anchor = this.anchor(shown);
    return anchor === null ? 'dicom/none' : dicomSheet(anchor.SOPInstanceUID, anchor.frame);
  }

  // what this page's own hand does

  change(state: ViewportState): void {
    this.live.session.presenting.change(state);
    this.#take(this.live.session.presenting.state);
  }

  changePane(index: number, change: Partial<PaneState>): void {
    this.change(withPane(this.state, index, change));
  }

  /** Change what keys act on. */
  changeActive(change: Partial<PaneState>): void {
    this.changePane(this.state.active, change);
  }

  activate(index: number): void {
    // which pane one's own keys act on is no view of one's own
    if (index === this.state.active) return;
    if (this.role === 'following') this.state = { ...this.state, active: index };
    else this.change({ ...this.state, active: index });
  }

  setLayout(layout: Layout): void {
    this.change(withLayout(this.state, layout));
  }

  toggleLines(): void {
    this.change({ ...this.state, lines: !this.state.lines });
  }

  /** Put a series into a pane, at its middle where it is long. */
  async open(study: StudyFacts, series: SeriesFacts, index = this.state.active, unasked = false): Promise<void> {
    const uid = series.SeriesInstanceUID;
    const state = await this.#whenReady(study.StudyInstanceUID, uid);
    // meanwhile somebody may have begun to lead
    if (state === null || (unasked && this.role === 'following')) return;
    const first = state.instances[0];
    const at = state.stack.volume ? Math.floor(state.stack.frames.length / 2) : 0;
    const frame = state.stack.frames[at];
    const named = frame?.of ?? first;
    if (named === undefined) return;
    const rate = named.frameTime === null ? 15 : Math.min(60, Math.max(1, 1000 / named.frameTime));
    const pane: PaneState = {
      ...UPRIGHT,
      ...{ study: study.StudyInstanceUID, series: uid, instance: named.instance, frame: frame?.frame ?? 1, plane: 'stack', slice: at, slab: null },
      ...{ window: null, invert: false, playing: false, rate: Math.round(rate * 10) / 10 },
    };
    this.change({ ...this.state, active: index, panes: this.state.panes.map((other, place) => (place === index ? pane : other)) });
  }

  /** Close what stands in a pane. */
  empty(index: number): void {
    this.change({ ...this.state, panes: this.state.panes.map((pane, place) => (place === index ? null : pane)) });
  }

  scroll(index: number, by: number): void {
    const shown = this.shown(index);
    if (shown === null || shown.count === 0) return;
    // a cut that is still being computed is where it was asked for
    const at = shown.state.plane === 'stack' ? shown.at : shown.state.slice;
    this.goTo(index, Math.min(shown.count - 1, Math.max(0, at + by)));
  }

  goTo(index: number, at: number): void {
    const shown = this.shown(index);
    if (shown?.stack == null || at === (shown.state.plane === 'stack' ? shown.at : shown.state.slice)) return;
    this.#forwards.set(index, at > shown.at);
    if (shown.state.plane !== 'stack') return this.changePane(index, { slice: at });
    const frame = shown.stack.frames[at];
    if (frame !== undefined) this.changePane(index, { slice: at, instance: frame.of.instance, frame: frame.frame });
  }

  /** Show the stored images, or a cut through their volume at the place that is looked at. */
  setPlane(index: number, plane: Plane): void {
    const shown = this.shown(index);
    if (shown?.stack == null || shown.state.plane === plane) return;
    const here = shown.frame?.plane == null ? null : placeOf(shown.frame.plane, shown.state.centre);
    if (plane === 'stack') {
      const at = here === null ? 0 : nearest(shown.stack, here);
      const frame = shown.stack.frames[at];
      if (frame !== undefined) this.changePane(index, { ...UPRIGHT, plane, slice: at, instance: frame.of.instance, frame: frame.frame });
      return;
    }
    if (!this.#permitCuts(shown.stack)) return;
    const cuts = this.cuts.reformatOf(shown.stack).cuts(plane);
    if (cuts === null || here === null) return;
    this.changePane(index, { ...UPRIGHT, plane, slice: sliceThrough(cuts, here), playing: false });
  }

  /** The three cuts of a volume and the images themselves, beside each other. */
  layOutCuts(): void {
    const shown = this.shown(this.state.active);
    if (shown?.stack == null || !this.#permitCuts(shown.stack) || shown.frame?.plane == null) return;
    const here = placeOf(shown.frame.plane, [0.5, 0.5]);
    const reformat = this.cuts.reformatOf(shown.stack);
    const at = nearest(shown.stack, here);
    const frame = shown.stack.frames[at];
    const base: PaneState = { ...shown.state, ...UPRIGHT, plane: 'stack', slice: at, slab: null, playing: false };
    if (frame !== undefined) Object.assign(base, { instance: frame.of.instance, frame: frame.frame });
    const cut = (plane: CutName): PaneState => {
      const cuts = reformat.cuts(plane);
      return { ...base, plane, slice: cuts === null ? 0 : sliceThrough(cuts, here) };
    };
    this.change({ ...this.state, layout: '2x2', active: 0, lines: true, panes: [base, cut('axial'), cut('coronal'), cut('sagittal')] });
  }

  /** Have a cut as thick as this; null: as its pixels. */
  setSlab(index: number, slab: Slab | null): void {
    this.changePane(index, { slab });
  }

  /** Bring the other panes of the same space to a point of this one's image. */
  locate(index: number, point: readonly [number, number]): void {
    const here = this.shown(index);
    if (here?.frame?.plane == null) return;
    const reference = textOf(here.frame.of.attributes, '00200052');
    const place = placeOf(here.frame.plane, point);
    const panes = this.state.panes.map((pane, other) => {
      const beside = other === index ? null : this.shown(other);
      if (pane === null || beside?.stack == null || textOf(beside.frame?.of.attributes ?? {}, '00200052') !== reference) return pane;
      if (pane.plane !== 'stack') {
        const cuts = this.cuts.reformatOf(beside.stack).cuts(pane.plane);
        return cuts === null ? pane : { ...pane, slice: sliceThrough(cuts, place) };
      }
      if (beside.frame?.plane == null) return pane;
      const at = nearest(beside.stack, place);
      const frame = beside.stack.frames[at];
      return frame === undefined ? pane : { ...pane, slice: at, instance: frame.of.instance, frame: frame.frame };
    });
    this.change({ ...this.state, panes });
  }

  /** False: a series makes no volume, or there is no place for it, and why has been said. */
  #permitCuts(stack: Stack): boolean {
    if (stack.flat !== null) this.live.toast('alarm', t(`viewer_flat_${stack.flat}`));
    else if (!this.cuts.cutter.fits(this.cuts.reformatOf(stack))) this.live.toast('alarm', t('viewer_cannot_memory'));
    else return true;
    return false;
  }

  /** Take a measuring tool into the hand. */
  measure(shape: MeasuringShape): void {
    this.live.session.tools.choose(shape);
    this.hand = 'draw';
  }

  /** A small picture of a series' middle frame, as the server renders it; null: there is none. */
  async thumbnail(study: string, series: string, side: number, signal: AbortSignal): Promise<Blob | null> {
    const state = await this.#whenReady(study, series, false);
    const frames = state?.stack.frames ?? [];
    const frame = frames[Math.floor(frames.length / 2)];
    if (frame === undefined || signal.aborted) return null;
    try {
      return await this.live.images.rendered(frame, side, signal);
    } catch {
      return null;
    }
  }

  /** The window as figures, also where the file's own is meant. */
  windowOf(shown: Shown | null): [number, number] | null {
    if (shown?.pixels == null || !hasWindow(shown.pixels.frame)) return null;
    return shown.state.window ?? ownWindow(shown.pixels);
  }

  toggleFilm(index: number): void {
    const pane = this.state.panes[index];
    if (pane != null) this.changePane(index, { playing: !pane.playing });
  }

  /** Whether a pane shows a film in a container of its own. */
  isFilm(pane: PaneState | null): boolean {
    return pane !== null && this.live.session.catalogue.factsOf(pane.series)?.kind === 'video';
  }

  // following the state

  #take(state: ViewportState): void {
    this.state = state;
    this.#wish();
    this.#runFilms();
  }

  #readPresenting(): void {
    const { presenting } = this.live.session;
    this.role = presenting.role;
    this.presenter = presenting.presenter;
    this.asking = presenting.asking;
    this.asksMyself = presenting.asksMyself;
    this.#take(presenting.state);
  }

  #handleLoaded(): void {
    this.#tell();
    this.#wish();
    this.#runFilms();
  }

  /** Once a turn: many frames come together. */
  #tell(): void {
    if (this.#newsDue) return;
    this.#newsDue = true;
    queueMicrotask(() => {
      this.#newsDue = false;
      this.news += 1;
    });
  }

  /** Say to the loader what each pane wants, and what it will. */
  #wish(): void {
    const { catalogue } = this.live.session;
    const cut = new Map<string, Stack>();
    this.state.panes.forEach((pane, index) => {
      const series = pane === null || pane.plane === 'stack' ? null : catalogue.series(this.live.images, pane.study, pane.series);
      if (series?.kind === 'ready') cut.set(String(index), series.stack);
    });
    this.cuts.show(cut);
    for (let index = 0; index < 4; index++) {
      const pane = this.state.panes[index] ?? null;
      const series = pane === null ? null : catalogue.series(this.live.images, pane.study, pane.series);
      if (pane === null || series?.kind !== 'ready') {
        this.loader.want(String(index), []);
        this.previews.look(String(index), null, null);
        continue;
      }
      const { stack } = series;
      const at = pane.plane === 'stack' ? placeIn(stack, pane) : -1;
      // what a player shows comes by itself, and a cut is never rendered by the server
      this.previews.look(String(index), this.isFilm(pane) ? null : (stack.frames[at] ?? null), pane.window);
      const count = stack.frames.length;
      if (this.isFilm(pane)) {
        this.loader.want(String(index), []);
        continue;
      }
      const first = stack.frames[0]?.of;
      const size = first === undefined ? 1 : first.columns * first.rows * first.samples * Math.max(1, first.bits >> 3);
      if (pane.plane !== 'stack') {
        this.loader.want(String(index), this.cuts.missing(stack));
        continue;
      }
      const most = Math.max(1, Math.min(AHEAD, Math.floor(AHEAD_BYTES / Math.max(1, size))));
      const order = orderOfUse(Math.max(0, at), count, this.#forwards.get(index) ?? true, most);
      this.loader.want(String(index), order.flatMap((place) => stack.frames[place] ?? []));
    }
  }

  async #whenReady(study: string, series: string, says = true): Promise<Extract<SeriesState, { kind: 'ready' }> | null> {
    const { catalogue } = this.live.session;
    for (;;) {
      const state = catalogue.series(this.live.images, study, series);
      if (state.kind === 'ready') return state;
      if (state.kind === 'failed') {
        if (says) this.live.toast('alarm', sayFailure(state.failure));
        return null;
      }
      await new Promise<void>((done) => {
        const end = catalogue.on('series', () => {
          end();
          done();
        });
      });
    }
  }

  /** A film runs where it is led from: followers are sent each frame. */
  #runFilms(): void {
    for (let index = 0; index < 4; index++) {
      const pane = this.state.panes[index] ?? null;
      const series = pane === null || !this.isFilm(pane) ? null : this.live.session.catalogue.series(this.live.images, pane.study, pane.series);
      const film = series?.kind === 'ready' ? (series.stack.frames[placeIn(series.stack, pane as PaneState)] ?? null) : null;
      const player = this.films.show(index, film, pane, this.role !== 'following');
      // a player leads by itself; what no player plays goes on from frame to frame as they come
      if (pane !== null && this.isFilm(pane) && player?.isPlayable !== false) {
        clearTimeout(this.#films.get(index));
        this.#films.delete(index);
        continue;
      }
      const runs = pane?.playing === true && this.role !== 'following';
      if (!runs && this.#films.has(index)) {
        clearTimeout(this.#films.get(index));
        this.#films.delete(index);
      }
      if (runs && !this.#films.has(index)) this.#scheduleFrame(index, performance.now());
    }
  }

  /** A film's player is at another frame. */
  #handleFilm(index: number, frame: number): void {
    const shown = this.shown(index);
    if (shown?.stack == null || shown.frame === null) return;
    const at = shown.at + frame - shown.frame.frame;
    if (shown.stack.frames[at]?.frame === frame) this.goTo(index, at);
  }

  #scheduleFrame(index: number, last: number): void {
    const pane = this.state.panes[index];
    if (pane == null) return;
    const due = last + 1000 / Math.max(0.5, pane.rate);
    this.#films.set(
      index,
      setTimeout(() => {
        this.#films.delete(index);
        const now = performance.now();
        const shown = this.shown(index);
        // a film waits for its frames rather than leave one out, and does not hurry afterwards
        if (shown !== null && (shown.pixels !== null || shown.failure !== null || shown.film?.picture?.frame === shown.frame?.frame) && shown.count > 1) {
          this.#forwards.set(index, true);
          this.goTo(index, (shown.at + 1) % shown.count);
        }
        if (this.state.panes[index]?.playing === true && this.role !== 'following' && !this.#films.has(index)) {
          this.#scheduleFrame(index, Math.max(due, now - 1000 / pane.rate));
        }
      }, Math.max(0, due - performance.now())),
    );
  }
}

/** The frame nearest to a point of the patient. */
function nearest(stack: Stack, place: readonly [number, number, number]): number {
  let [best, distance] = [0, Infinity];
  stack.frames.forEach((frame, at) => {
    const plane = frame.plane;
    if (plane === null) return;
    const normal = [plane.column[1] * plane.row[2] - plane.column[2] * plane.row[1], plane.column[2] * plane.row[0] - plane.column[0] * plane.row[2], plane.column[0] * plane.row[1] - plane.column[1] * plane.row[0]];
    const away = Math.abs(normal.reduce((sum, part, n) => sum + part * ((place[n] ?? 0) - (plane.origin[n] ?? 0)), 0));
    if (away < distance) [best, distance] = [at, away];
  });
  return best;
}

