/** The panes that show films: a player each, as long as it shows the same film. */
import type { Frame } from '../../dicom/image';
import type { PaneState } from '../../dicom/viewport';
import type { DicomWeb } from '../../dicom/web';
import { FilmPlayer } from './film_player';

export class FilmPanes {
  readonly #players = new Map<number, FilmPlayer>();

  constructor(
    private readonly web: DicomWeb,
    /** Told of a frame that the player of a pane has come to, and that there is something new to be drawn. */
    private readonly tell: { frame: (index: number, frame: number) => void; picture: () => void },
  ) {}

  player(index: number): FilmPlayer | null {
    return this.#players.get(index) ?? null;
  }

  /** Say what a pane shows; null: no film. */
  show(index: number, film: Frame | null, pane: PaneState | null, leads: boolean): FilmPlayer | null {
    const before = this.#players.get(index);
    if (before !== undefined && before.film.instance !== film?.of.instance) {
      before.close();
      this.#players.delete(index);
    }
    if (film === null || pane === null) return null;
    const player = this.#players.get(index) ?? this.#begin(index, film);
    player.show(film.frame, pane.playing, pane.rate, leads);
    return player;
  }

  /** Open anew what could not be reached. */
  retry(): void {
    for (const [index, player] of this.#players) {
      if (player.failure?.reason !== 'away') continue;
      player.close();
      this.#players.delete(index);
    }
  }

  close(): void {
    for (const player of this.#players.values()) player.close();
    this.#players.clear();
  }

  #begin(index: number, film: Frame): FilmPlayer {
    const player = new FilmPlayer(this.web, film.of);
    player.on('frame', (frame) => this.tell.frame(index, frame));
    player.on('picture', () => this.tell.picture());
    this.#players.set(index, player);
    return player;
  }
}
