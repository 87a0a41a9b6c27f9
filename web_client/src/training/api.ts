/** Training over HTTP (PROTOCOL.md, Training). */
import { ReplayError } from '../replay/api';
import type { Mark } from '../signalling/protocol';
import type { AskedBefore, GivenAttempt, Question, Score } from './quiz';

export interface NewQuestion {
  producer: number;
  rtp_timestamp: number;
  at: number;
  prompt: string;
  words: string;
  tolerance: number;
  overlap: number;
  answer: { log: string } | { mark: Mark };
}

/** Another wording, measure or answer for a question of this version; without an answer it stays. */
export type QuestionChange = Pick<NewQuestion, 'prompt' | 'words' | 'tolerance' | 'overlap'> & Partial<Pick<NewQuestion, 'answer'>> & { version: number };

export class TrainingApi {
  constructor(readonly token: string) {}

  async questions(recording: string): Promise<Question[]> {
    const body = await this.get<{ questions: Question[] }>(`recordings/${encodeURIComponent(recording)}/questions`);
    return body.questions;
  }

  ask(recording: string, question: NewQuestion): Promise<Question> {
    return this.send<Question>('POST', `recordings/${encodeURIComponent(recording)}/questions`, question);
  }

  answer(question: string, mark: Mark): Promise<{ attempt: Score; question: Question }> {
    return this.send('POST', `questions/${question}/attempts`, { mark });
  }

  /** All answers, the oldest first, and what was asked before. */
  attempts(question: string): Promise<{ attempts: GivenAttempt[]; before: AskedBefore[] }> {
    return this.get(`questions/${question}/attempts`);
  }

  change(question: string, change: QuestionChange): Promise<Question> {
    return this.send('PUT', `questions/${question}`, change);
  }

  restoreQuestion(question: string): Promise<Question> {
    return this.send('POST', `questions/${question}/restore`, {});
  }

  async removeQuestion(question: string): Promise<void> {
    await this.fetch('DELETE', `questions/${question}`);
  }

  async get<Body>(path: string): Promise<Body> {
    return (await (await this.fetch('GET', path)).json()) as Body;
  }

  async send<Body>(method: 'POST' | 'PUT', path: string, body: unknown): Promise<Body> {
    return (await (await this.fetch(method, path, body)).json()) as Body;
  }

  /** Raises ReplayError. `keepalive`: it is sent though the page goes away. */
  async fetch(method: string, path: string, body?: unknown, keepalive = false): Promise<Response> {
    let response: Response;
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    try {
      response = await fetch(`/api/training/${path}`, { method, keepalive, headers: { Authorization: `Bearer ${this.token}` }, ...given });
    } catch {
      throw new ReplayError(0, 'server_away', '');
    }
    if (response.ok) return response;
    const said = (await response.json().catch(() => ({}))) as { code?: string; message?: string };
    throw new ReplayError(response.status, said.code ?? '', said.message ?? '');
  }
}
