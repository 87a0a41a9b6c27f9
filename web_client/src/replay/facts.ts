/** What was true of the pictures and of the room at each moment of a recording, as its events say it. */
import type { Moment } from '../media/rtp';
import type { Orientation, ProducerId } from '../signalling/protocol';
import type { Description, RoomEvent } from './description';

/** What is written at one moment may stand a little apart. */
const ROUNDING_S = 0.001;

/** Who the patient was, as far as a recording knows it: it holds no name. */
export interface RecordedPatient {
  key: string;
  /** A, B, C, in the order in which they were chosen. */
  letter: string;
}

export class Facts {
  readonly #events: readonly RoomEvent[];
  readonly #patients: readonly string[];

  constructor(private readonly description: Description) {
    this.#events = [...description.events].sort((a, b) => a.at - b.at);
    this.#patients = [...new Set(this.#events.flatMap(({ kind, patient }) => (kind === 'patient_chosen' ? (patient ?? []) : [])))];
  }

  /** Which way round a picture was said to be; null: nobody had said it. */
  orientationAt(producer: ProducerId, position: number): Orientation | null {
    return this.#last('orient', position, producer)?.orientation ?? null;
  }

  /** From which frame on a picture had come since it was interrupted; null: it had not been. */
  sinceAt(producer: ProducerId, position: number): Moment | null {
    const event = this.#last('producer_resumed', position, producer);
    if (event === null || typeof event.since !== 'number') return null;
    return { rtpTimestamp: event.since, time: this.description.started + event.at * 1000 };
  }

  /** The patient who was chosen; null: nobody was. */
  patientAt(position: number): RecordedPatient | null {
    const key = this.#last('patient_chosen', position)?.patient ?? null;
    return key === null ? null : { key, letter: String.fromCharCode(65 + (this.#patients.indexOf(key) % 26)) };
  }

  #last(kind: string, position: number, producer?: ProducerId): RoomEvent | null {
    return this.#events.findLast((event) => event.kind === kind && event.producer === producer && event.at <= position + ROUNDING_S) ?? null;
  }
}
