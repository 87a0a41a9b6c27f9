/** Which images the room has (`studies` notice, annotation/dicom/DICOMWEB.md), and what is known of each series looked at. */
import { Emitter } from '../emitter';
import type { Match } from '../hospital';
import type { AsideCounts } from './aside';
import { failureOf, type FrameFailure } from './frames';
import { readInstance, type Instance } from './image';
import { stackOf, type Stack } from './stack';
import type { DicomWeb } from './web';

export type SeriesKind = 'image' | 'video' | 'waveform' | 'document' | 'other';

export interface SeriesFacts {
  SeriesInstanceUID: string;
  number: number;
  modality: string;
  description: string;
  kind: SeriesKind;
  instances: number;
  frames: number;
  /** Instances that one may not see: words may stand in their pictures. */
  withheld: number;
}

export interface StudyFacts {
  StudyInstanceUID: string;
  description: string;
  date: string;
  modality: string;
  patient_key: string;
  /** Whose it is, held against the room's patient. */
  match?: Match;
  instances: number;
  series: SeriesFacts[];
}

export type SeriesState =
  | { kind: 'loading' }
  | { kind: 'failed'; failure: FrameFailure }
  | { kind: 'ready'; stack: Stack; instances: readonly Instance[] };

interface CatalogueEvents {
  /** Other studies or series are there. */
  studies: readonly StudyFacts[];
  /** What is known of a series has changed. */
  series: string;
}

export class Catalogue extends Emitter<CatalogueEvents> {
  studies: readonly StudyFacts[] = [];
  /** How much was put aside; null: one is not told. */
  aside: AsideCounts | null = null;
  readonly #series = new Map<string, SeriesState>();
  #counts = new Map<string, number>();

  handleStudies(studies: readonly StudyFacts[], aside: AsideCounts | null = null): void {
    this.studies = studies;
    this.aside = aside;
    const counts = new Map(studies.flatMap(({ series }) => series.map((one) => [one.SeriesInstanceUID, one.instances] as const)));
    // a series that has grown or shrunk is read anew when it is looked at
    for (const [uid, count] of this.#counts) if (counts.get(uid) !== count) this.#series.delete(uid);
    this.#counts = counts;
    this.emit('studies', studies);
  }

  factsOf(series: string): SeriesFacts | null {
    return this.studies.flatMap((study) => study.series).find((one) => one.SeriesInstanceUID === series) ?? null;
  }

  studyOf(series: string): StudyFacts | null {
    return this.studies.find((study) => study.series.some((one) => one.SeriesInstanceUID === series)) ?? null;
  }

  /** What is known of a series; it is fetched at the first question. */
  series(web: DicomWeb, study: string, series: string): SeriesState {
    const known = this.#series.get(series);
    if (known !== undefined) return known;
    const loading: SeriesState = { kind: 'loading' };
    this.#series.set(series, loading);
    void this.#load(web, study, series, loading);
    return loading;
  }

  /** Ask again for what failed. */
  retry(series: string): void {
    if (this.#series.get(series)?.kind === 'failed') this.#series.delete(series);
    this.emit('series', series);
  }

  async #load(web: DicomWeb, study: string, series: string, loading: SeriesState): Promise<void> {
    let state: SeriesState;
    try {
      const instances = (await web.metadata(study, series)).map(readInstance);
      state = { kind: 'ready', instances, stack: stackOf(series, instances.filter((one) => one.columns > 0)) };
    } catch (error) {
      state = { kind: 'failed', failure: failureOf(error) };
    }
    if (this.#series.get(series) !== loading) return;
    this.#series.set(series, state);
    this.emit('series', series);
  }
}
