/** What the components show of one's pens: follows them, and has what is said of them spoken. */
import type { Said } from '../annotation/crosshair';
import type { Tool } from '../annotation/tools';
import type { ParticipantId, Shape } from '../signalling/protocol';
import type { Session } from '../session';
import { t } from '../words/language.svelte';

/** Somebody whose marks stand, also when gone meanwhile. */
export interface MarkLayerOf {
  author: ParticipantId;
  name: string;
  colour: string;
  marks: number;
}

const STORED_AS = 'konsil.follow';

export class PenState {
  tool = $state<Tool>('freehand');
  width = $state(0);
  follow = $state(false);
  /** Counts up with every change of the layers. */
  #layersChanged = $state(0);
  layers = $state.raw<MarkLayerOf[]>([]);
  /** The numbers of the calibrations that hold: another text when one changes. */
  calibrated = $state('');
  /** For screen readers: what the keyboard did. */
  said = $state('');

  constructor(
    private readonly session: Session,
    private readonly warn: (text: string) => void,
  ) {
    const { tools, pens } = session;
    const read = (): void => {
      this.tool = tools.tool;
      this.width = tools.width;
      this.follow = tools.follow;
    };
    // whoever chose it once has it again
    if (localStorage.getItem(STORED_AS) === 'on') tools.setFollow(true);
    read();
    tools.on('changed', read);
    pens.layers.on('changed', () => (this.#layersChanged += 1));
    session.replica.on('changed', () => {
      this.#readLayers();
      this.calibrated = [...session.replica.calibrations.values()].map(({ sequence }) => sequence).join();
    });
    pens.crosshair.on('said', (said) => (this.said = this.#say(said)));
  }

  /** Have the marks to come follow the tissue, or stay where they are drawn; it is remembered in this browser. */
  toggleFollow(): void {
    const { tools } = this.session;
    tools.setFollow(!tools.follow);
    localStorage.setItem(STORED_AS, tools.follow ? 'on' : 'off');
    this.said = t(tools.follow ? 'follow_on' : 'follow_off');
  }

  get solo(): ParticipantId | null {
    void this.#layersChanged;
    return this.session.pens.layers.solo;
  }

  get ghosts(): boolean {
    void this.#layersChanged;
    return this.session.pens.layers.ghosts;
  }

  isShown(author: ParticipantId): boolean {
    void this.#layersChanged;
    return this.session.pens.layers.isShown(author);
  }

  /** Layers that bear marks and are not shown. */
  get hidden(): number {
    return this.layers.filter(({ author }) => !this.isShown(author)).length;
  }

  #readLayers(): void {
    const byAuthor = new Map<ParticipantId, MarkLayerOf>();
    for (const { author, name, colour } of this.session.replica.visible) {
      const known = byAuthor.get(author);
      if (known === undefined) byAuthor.set(author, { author, name, colour, marks: 1 });
      else known.marks += 1;
    }
    const layers = [...byAuthor.values()];
    // a stroke or a movement changes nothing here
    if (JSON.stringify(layers) === JSON.stringify(this.layers)) return;
    this.#warnOfHidden(layers);
    this.layers = layers;
  }

  /** A new mark that one does not see. */
  #warnOfHidden(layers: readonly MarkLayerOf[]): void {
    for (const { author, name, marks } of layers) {
      const before = this.layers.find((layer) => layer.author === author)?.marks ?? 0;
      if (marks > before && !this.session.pens.layers.isShown(author) && author !== this.session.self?.participant) this.warn(t('said_mark_hidden', { name }));
    }
  }

  #say(said: Said): string {
    switch (said.kind) {
      case 'placed':
      case 'moved':
      case 'bent':
        return t(`pen_${said.kind}`, { shape: this.#shapeOf(said.mark) });
      case 'selected':
      case 'point_chosen':
        return t(`pen_${said.kind}`, { shape: this.#shapeOf(said.mark), index: said.index, count: said.count });
      case 'selected_of':
        return t('pen_selected_of', { shape: this.#shapeOf(said.mark), name: this.#nameOf(said.author), index: said.index, count: said.count });
      case 'deleted':
        return t('pen_deleted', { count: said.count });
      default:
        return t(`pen_${said.kind}`);
    }
  }

  #nameOf(author: string): string {
    return this.session.replica.visible.find((one) => one.author === author)?.name ?? '';
  }

  #shapeOf(mark: string): string {
    const shape: Shape = this.session.replica.find(mark)?.mark.shape ?? 'freehand';
    return t(`tool_${shape}`);
  }
}
