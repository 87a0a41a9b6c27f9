/** The images that were presented, beside a replay: the viewer of the live room, led by what the recording says. */
import { Catalogue, type StudyFacts } from '../../dicom/catalogue';
import { Presenting } from '../../dicom/presenting';
import type { PaneState } from '../../dicom/viewport';
import { DicomWeb } from '../../dicom/web';
import { ImagesThen, type SeriesSaid, type ShownThen } from '../../replay/study_images';
import { pageTimers } from '../../timers';
import { t } from '../../words/language.svelte';
import { Viewer } from '../dicom/viewer.svelte';
import type { ViewerHost } from '../dicom/viewer_host';
import type { Study } from '../study.svelte';

export class ReplayImages {
  /** What was shown at this moment. */
  shown = $state.raw<ShownThen | null>(null);
  /** Closed by hand, until it is opened again. */
  closed = $state(false);
  /** Which images there are is known. */
  known = $state(false);
  viewer = $state.raw<Viewer<ViewerHost> | null>(null);
  readonly then: ImagesThen;
  readonly #presenting = new Presenting(pageTimers, () => Promise.resolve(false), () => undefined);
  readonly #catalogue = new Catalogue();
  #told = 0;

  constructor(
    private readonly study: Study,
    private readonly token: string,
  ) {
    this.then = new ImagesThen(study.replay.description);
    if (this.then.any) void this.#load();
  }

  get open(): boolean {
    return this.shown !== null && !this.closed;
  }

  toggle(): void {
    if (!this.then.any) return this.study.say(t('study_no_images'));
    if (this.shown === null) return this.study.say(t('study_no_images_now'));
    this.closed = !this.closed;
  }

  /** To be called as the position goes on. */
  handlePosition(position: number): void {
    const shown = this.then.at(position);
    if (shown === this.shown) return;
    const before = this.shown?.presenter ?? null;
    this.shown = shown;
    if (shown === null) return;
    this.#begin();
    if (shown.presenter !== before) this.#presenting.handlePresenter({ type: 'presenter', participant: shown.presenter, asking: [] });
    this.#told += 1;
    this.#presenting.handleViewport({ type: 'viewport', author: shown.presenter, n: this.#told, sent: 0, state: shown.state });
  }

  /** See again what was presented, after one looked around. */
  comeBack(): void {
    this.#presenting.comeBack();
  }

  /** The room has these images no more. */
  isGone(pane: PaneState): boolean {
    return this.known && this.#catalogue.factsOf(pane.series) === null;
  }

  /** What the recording itself says of a series. */
  said(pane: PaneState): SeriesSaid | null {
    return this.then.said(pane.series);
  }

  close(): void {
    this.viewer?.close();
    this.#presenting.stopTimers();
  }

  #begin(): void {
    if (this.viewer !== null) return;
    const { replay } = this.study;
    const host: ViewerHost = {
      images: new DicomWeb(this.token),
      overlay: replay.overlay,
      may: () => false,
      toast: (_, text) => this.study.say(text),
      session: {
        catalogue: this.#catalogue,
        presenting: this.#presenting,
        connection: { on: () => () => undefined },
        tools: { tool: '', choose: () => undefined, on: () => () => undefined },
        replica: {
          get visible() {
            return replay.overlay.visible;
          },
        },
        pens: { layers: { isShown: (author) => !replay.hidden.has(author) } },
      },
    };
    this.viewer = new Viewer(host);
  }

  async #load(): Promise<void> {
    const { recording } = this.study.replay.description;
    try {
      const answer = await fetch(`/api/study/${encodeURIComponent(recording)}/images`, { headers: { Authorization: `Bearer ${this.token}` } });
      if (!answer.ok) return;
      this.#catalogue.handleStudies(((await answer.json()) as { studies: StudyFacts[] }).studies);
      this.known = true;
    } catch {
      // the panes themselves say that the server is away
    }
  }
}
