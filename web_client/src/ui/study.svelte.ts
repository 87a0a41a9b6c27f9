/** What somebody who studies a recording does with it, as the components see it: notes, loops, what is looked for, how it is laid out. */
import { chaptersOf, type Chapter } from '../replay/chapters';
import { arrange, PICTURE_LAYOUTS, type Arrangement, type PictureLayout } from '../replay/study_layout';
import { fragmentAt, linkTo } from '../replay/study_moment';
import { Notes, NotesApi, type NewNote, type Note, type NoteChange } from '../replay/study_notes';
import { filtered, neighbour, rowsOf, UNFILTERED, type Filter, type Item, type Row } from '../replay/study_rows';
import type { RowKind } from '../replay/study_kinds';
import { following, zoomed, type Span } from '../replay/study_zoom';
import { t } from '../words/language.svelte';
import { sayDuration } from './grade';
import type { Replay } from './replay.svelte';

/** So long something is said. */
const SAID_MS = 4000;
/** The address follows the position no more often: browsers limit it. */
const ADDRESS_MS = 1000;
const ZOOM = 2;
const ROOMY_PX = 800;

/** A note that is being written. */
export interface Draft {
  kind: Note['kind'];
  at: number;
  until: number | null;
}

export class Study {
  notes = $state.raw<readonly Note[]>([]);
  undoable = $state.raw<Note | null>(null);
  filter = $state.raw<Filter>(UNFILTERED);
  span = $state.raw<Span>({ from: 0, until: 1 });
  /** The rows of the time line are open: where there is little room the pictures have it. */
  open = $state(innerHeight >= ROOMY_PX);
  layout = $state<PictureLayout>('large');
  pinned = $state<number | null>(null);
  draft = $state.raw<Draft | null>(null);
  /** What is said for a moment. */
  said = $state('');
  readonly #notes: Notes;
  #saidTimer: ReturnType<typeof setTimeout> | undefined;
  #addressAt = -Infinity;
  #addressed = '';

  readonly chapters: readonly Chapter[] = $derived.by(() => chaptersOf(this.replay.description, (key) => t(key)));
  readonly #all: readonly Row[] = $derived.by(() => rowsOf(this.replay.description, this.chapters, this.notes));
  readonly rows: readonly Row[] = $derived(filtered(this.#all, this.filter));
  /** The kinds of which there is something at all. */
  readonly kinds: readonly RowKind[] = $derived([...new Set(this.#all.map(({ kind }) => kind))]);
  readonly arrangement: Arrangement = $derived.by(() => {
    const pictures = this.replay.cameras.flatMap(({ source }, index) => (source === 'microphone' ? [] : [index]));
    return arrange(pictures, this.layout, this.replay.main, this.pinned);
  });

  constructor(
    readonly replay: Replay,
    token: string,
  ) {
    const { description } = replay;
    this.span = { from: 0, until: Math.max(description.seconds, 0.001) };
    this.#notes = new Notes(new NotesApi(token, description.recording));
    this.#notes.on('changed', () => {
      this.notes = this.#notes.notes;
      this.undoable = this.#notes.undoable;
    });
    this.#notes.on('refused', ({ what, status }) => this.say(status === 0 ? t('study_away') : status === 409 ? t('study_full') : t(`study_refused_${what}`)));
    void this.#notes.load();
  }

  close(): void {
    clearTimeout(this.#saidTimer);
  }

  say(words: string): void {
    this.said = words;
    clearTimeout(this.#saidTimer);
    this.#saidTimer = setTimeout(() => (this.said = ''), SAID_MS);
  }

  sayItem(item: Pick<Item, 'words' | 'plain'>): string {
    return item.words === null ? item.plain : t(item.words.key, item.words.values);
  }

  // notes

  async keep(note: NewNote): Promise<boolean> {
    const kept = await this.#notes.add(note);
    if (kept !== null) this.say(t(`study_kept_${kept.kind}`, { time: sayDuration(kept.at) }));
    return kept !== null;
  }

  /** At once, without words: these can be given later. */
  bookmark(): void {
    void this.keep({ kind: 'bookmark', at: this.replay.position, text: '', shared: false });
  }

  comment(): void {
    this.replay.pause();
    this.draft = { kind: 'comment', at: this.replay.position, until: null };
  }

  /** Keep what lies between in and out. */
  clip(): void {
    const { from, until } = this.replay.range;
    if (from === null || until === null) return this.say(t('study_clip_needs'));
    this.draft = { kind: 'clip', at: from, until };
  }

  change(note: Note, change: NoteChange): Promise<boolean> {
    return this.#notes.change(note.id, change);
  }

  async remove(note: Note): Promise<void> {
    await this.#notes.remove(note.id);
  }

  async undo(): Promise<void> {
    const note = await this.#notes.undo();
    if (note !== null) this.say(t('study_restored'));
  }

  /** Go to a note; a clip is repeated. */
  visit(note: Note): void {
    this.replay.seek(note.at);
    if (note.kind === 'clip' && note.until !== undefined) this.replay.setRange((repeat) => repeat.take({ from: note.at, until: note.until ?? note.at }));
  }

  // the time line

  toggleKind(kind: RowKind): void {
    const hidden = new Set(this.filter.hidden);
    if (!hidden.delete(kind)) hidden.add(kind);
    this.filter = { ...this.filter, hidden };
  }

  setPerson(person: string | null): void {
    this.filter = { ...this.filter, person };
  }

  isListed(chapter: Chapter): boolean {
    return !this.filter.hidden.has(chapter.row) && (this.filter.person === null || chapter.person === this.filter.person);
  }

  /** Go to the event before or after, and say which it is. */
  go(direction: 1 | -1): void {
    const item = neighbour(this.rows, this.replay.position, direction);
    if (item === null) return this.say(t(direction === 1 ? 'study_no_next' : 'study_no_previous'));
    this.replay.seek(item.at);
    this.say(`${sayDuration(item.at)} · ${this.sayItem(item)}`);
  }

  zoom(direction: 1 | -1, around = this.replay.position): void {
    this.span = zoomed(this.span, direction === 1 ? ZOOM : 1 / ZOOM, around, this.replay.description.seconds);
  }

  whole(): void {
    this.span = { from: 0, until: this.replay.description.seconds };
  }

  /** To be called as the position goes on. */
  handlePosition(position: number, playing: boolean, now: number): void {
    const span = following(this.span, position, this.replay.description.seconds);
    if (span !== this.span) this.span = span;
    if (playing || now - this.#addressAt < ADDRESS_MS) return;
    const fragment = fragmentAt(location.hash, position);
    if (fragment === this.#addressed) return;
    [this.#addressed, this.#addressAt] = [fragment, now];
    // no step in the history, and nobody is told: the page is there already
    history.replaceState(history.state, '', fragment);
  }

  async copyLink(): Promise<void> {
    const { position, description } = this.replay;
    try {
      await navigator.clipboard.writeText(linkTo(location.href, description.recording, position));
      this.say(t('study_link_copied', { time: sayDuration(position) }));
    } catch {
      this.say(t('study_link_failed'));
    }
  }

  // the pictures

  nextLayout(): void {
    const at = PICTURE_LAYOUTS.indexOf(this.layout);
    this.layout = PICTURE_LAYOUTS[(at + 1) % PICTURE_LAYOUTS.length] ?? 'large';
    this.say(t(`study_layout_${this.layout}`));
  }

  /** Have a picture stay, whichever is chosen beside it. */
  pin(index: number): void {
    this.pinned = this.pinned === index ? null : index;
    if (this.pinned !== null && this.layout !== 'grid') this.replay.setMain(index);
  }

  nextSolo(): void {
    const author = this.replay.nextSolo();
    const name = this.replay.description.participants.find(({ participant }) => participant === author)?.name ?? '';
    this.say(author === null ? t('study_solo_none') : t('study_solo_of', { name }));
  }
}
