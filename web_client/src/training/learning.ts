/** What is learned with recordings, as the server tells it (PROTOCOL.md, Training). */
import { NotesApi, type Note } from '../replay/study_notes';
import type { Attempt, Question } from './quiz';
import type { TrainingApi } from './api';

export interface PlaylistItem {
  recording: string;
  from: number;
  until: number;
  title: string;
}

export interface ItemProgress {
  /** 0-1. */
  watched: number;
  questions: number;
  answered: number;
  passed: number;
}

export interface Progress {
  progress: ItemProgress[];
  done: boolean;
  late: boolean;
}

export interface Playlist extends Partial<Progress> {
  /** Its words may name a patient who is hidden from oneself: they are empty. */
  withheld?: boolean;
  playlist: string;
  title: string;
  note: string;
  /** Unix ms. */
  due: number | null;
  items: PlaylistItem[];
  /** For who teaches. */
  for_all?: boolean;
  people?: (Progress & { person: string; name: string })[];
}

export interface NewPlaylist {
  title: string;
  note: string;
  due: number | null;
  items: { recording: string; from?: number; until?: number; title: string }[];
  people: string[] | null;
}

export type FormItem =
  | { kind: 'scale'; label: string; low: number; high: number; anchors: Record<string, string> }
  | { kind: 'yes_no' | 'text'; label: string };

export interface Form {
  form: string;
  version: number;
  title: string;
  items: FormItem[];
  by: string;
  made: number;
}

export type Answer = number | boolean | string | null;

export interface Assessment {
  /** Remark and words of answers may name a patient who is hidden from oneself: they are empty. */
  withheld?: boolean;
  assessment: string;
  form: string;
  version: number;
  title: string;
  items: FormItem[];
  answers: Answer[];
  points: number | null;
  most: number | null;
  remark: string;
  person: string;
  name: string;
  recording: string | null;
  from: number | null;
  until: number | null;
  by: string;
  made: number;
}

export interface Hours {
  /** Seconds. */
  once: number;
  total: number;
  spent: number;
  recordings: { recording: string; seconds: number; once: number; total: number; spent: number; speeds: Record<string, number>; heard: number }[];
}

export interface AnsweredQuestion {
  question: string;
  recording: string;
  at: number;
  prompt: string;
  unit: Question['unit'];
  attempts: number;
  first: Attempt;
  best: Attempt;
}

export interface Results {
  person: string;
  name: string;
  role: string;
  hours: Hours;
  answers: AnsweredQuestion[];
  playlists: (Progress & { playlist: string; title: string })[];
  assessments: Assessment[];
}

export interface AskedQuestion {
  question: string;
  recording: string;
  at: number;
  prompt: string;
  unit: Question['unit'];
  people: number;
  passed: number;
  median: number | null;
}

export interface Overview {
  people: Results[];
  questions: AskedQuestion[];
}

export interface Certificate {
  code: string;
  name: string;
  room: string;
  issued: number;
  seconds_once: number;
  seconds_total: number;
  recordings: number;
  playlists: string[];
  questions: { answered: number; passed: number; passed_first: number };
}

/** The requests of the training page. */
export class LearningApi {
  constructor(private readonly api: TrainingApi) {}

  mine(): Promise<Results & { teaches: boolean }> {
    return this.api.get('me');
  }

  overview(): Promise<Overview> {
    return this.api.get('overview');
  }

  async table(): Promise<Blob> {
    return (await this.api.fetch('GET', 'overview.csv')).blob();
  }

  /** The clips of a recording that one sees. */
  async clips(recording: string): Promise<Note[]> {
    return (await new NotesApi(this.api.token, recording).list()).filter(({ kind }) => kind === 'clip');
  }

  async playlists(): Promise<Playlist[]> {
    return (await this.api.get<{ playlists: Playlist[] }>('playlists')).playlists;
  }

  keepPlaylist(playlist: NewPlaylist): Promise<Playlist> {
    return this.api.send('POST', 'playlists', playlist);
  }

  async removePlaylist(playlist: string): Promise<void> {
    await this.api.fetch('DELETE', `playlists/${playlist}`);
  }

  async forms(): Promise<Form[]> {
    return (await this.api.get<{ forms: Form[] }>('forms')).forms;
  }

  keepForm(title: string, items: FormItem[], form: string | null): Promise<Form> {
    return form === null ? this.api.send('POST', 'forms', { title, items }) : this.api.send('PUT', `forms/${form}`, { title, items });
  }

  async removeForm(form: string): Promise<void> {
    await this.api.fetch('DELETE', `forms/${form}`);
  }

  assess(assessed: { form: string; version: number; person: string; recording?: string; from?: number; until?: number; answers: Answer[]; remark: string }): Promise<Assessment> {
    return this.api.send('POST', 'assessments', assessed);
  }

  async certificates(): Promise<Certificate[]> {
    return (await this.api.get<{ certificates: Certificate[] }>('certificates')).certificates;
  }

  certify(person: string | null): Promise<Certificate> {
    return this.api.send('POST', 'certificates', person === null ? {} : { person });
  }

  check(code: string): Promise<{ valid: boolean; certificate: Certificate }> {
    return this.api.send('POST', 'certificates/check', { code });
  }
}

/** A time of learning: 2 h 05 min, 12 min, 40 s. */
export function sayHours(seconds: number, say: (key: 'hours_minutes' | 'minutes_only' | 'seconds_only', values: Record<string, number>) => string): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return say('hours_minutes', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  return minutes >= 1 ? say('minutes_only', { minutes }) : say('seconds_only', { seconds: Math.round(seconds) });
}

/** A certificate's code in groups, as it is printed. */
export function sayCode(code: string): string {
  return code.match(/.{1,4}/g)?.join('-') ?? code;
}

/** How far a playlist is, 0-1: each item by what was seen of it. */
export function shareOf({ progress = [] }: Partial<Progress>): number {
  return progress.length === 0 ? 0 : progress.reduce((sum, { watched }) => sum + watched, 0) / progress.length;
}
