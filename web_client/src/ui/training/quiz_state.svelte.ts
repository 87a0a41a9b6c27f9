/** The questions of one open recording: playing stops at each, on its very frame, until it is answered or put off. */
import { PALETTE } from '../../annotation/styles';
import { isFrame, placeOf, positionOf, QuizGate, type AskedBefore, type GivenAttempt, type Question, type Score } from '../../training/quiz';
import type { NewQuestion, TrainingApi } from '../../training/api';
import { ReplayError } from '../../replay/api';
import { isVideo, type VideoAnchor } from '../../signalling/marks';
import type { Mark } from '../../signalling/protocol';
import { t } from '../../words/language.svelte';
import type { Replay } from '../replay.svelte';
import { ANSWER_COLOUR, OWN_COLOUR, QuizPen, type Shown } from './quiz_pen.svelte';

export type Phase =
  /** Nothing but the list. */
  | 'list'
  /** The frame is frozen, and a mark is drawn on it. */
  | 'answering'
  /** Both marks and the distance. */
  | 'result'
  /** A question is made here, or changed. */
  | 'making'
  /** What everybody answered. */
  | 'attempts';

export interface StandingMark {
  mark: Mark;
  anchor: VideoAnchor;
  name: string;
  colour: string;
}

/** So long is waited for the frame before another attempt is made, and so often. */
const FRAME_PATIENCE_MS = 1500;
const FRAME_TRIES = 4;
/** Whoever is farther from the frame than this has gone on. */
const GONE_S = 0.3;
/** So many marks of others are shown one by one. */
const MOST_MARKS = 24;
/** Until a seek has arrived nobody has gone on. */
const SETTLED_MS = 400;

export class QuizState {
  questions = $state.raw<readonly Question[]>([]);
  phase = $state<Phase>('list');
  question = $state.raw<Question | null>(null);
  score = $state.raw<Score | null>(null);
  given = $state.raw<readonly GivenAttempt[]>([]);
  /** What was asked before it was changed, of the question whose answers are shown. */
  before = $state.raw<readonly AskedBefore[]>([]);
  /** The one that was taken away last. */
  removed = $state.raw<Question | null>(null);
  /** Of everybody's attempts the first alone are shown. */
  firstOnly = $state(false);
  /** One has drawn something. */
  drawn = $state(false);
  /** The frame on the glass is the one that is asked about; false after all tries: the recording has it not. */
  frame = $state<'coming' | 'there' | 'missing'>('coming');
  busy = $state(false);
  failure = $state('');
  open = $state(false);
  pen = $state.raw<QuizPen | null>(null);
  readonly #gate = new QuizGate();
  #wanted: { producer: number; rtpTimestamp: number; at: number; since: number; tries: number } | null = null;

  constructor(
    readonly replay: Replay,
    readonly api: TrainingApi,
    readonly teaches: boolean,
  ) {}

  async load(): Promise<void> {
    await this.#try(async () => {
      this.questions = await this.api.questions(this.replay.description.recording);
    });
  }

  /** To be called for every frame of the screen. */
  tick(now: number): void {
    const { replay } = this;
    const came = this.#gate.handlePosition(replay.position, replay.playing, this.questions);
    if (came !== null && !this.teaches && this.phase === 'list') this.answer(came);
    const wanted = this.#wanted;
    if (wanted === null) return;
    if (isFrame(replay.rtpTimestamp, wanted.rtpTimestamp)) {
      if (this.frame !== 'there' && now - wanted.since > 100) this.frame = 'there';
    } else if (this.frame === 'coming' && now - wanted.since > FRAME_PATIENCE_MS && (replay.moments[replay.main] ?? null) === null) {
      // it is there, and another one: not while it is still decoded, which asking again would begin anew
      wanted.tries += 1;
      if (wanted.tries >= FRAME_TRIES) this.frame = 'missing';
      else this.#seek(wanted);
    }
    const gone = Math.abs(replay.position - wanted.at) > GONE_S && now - wanted.since > SETTLED_MS;
    if (gone || (replay.playing && now - wanted.since > SETTLED_MS)) this.leave();
  }

  /** Stop at a question's frame, with nothing on it but what one draws. */
  answer(question: Question): void {
    this.#stand('answering', question, question);
  }

  async submit(): Promise<void> {
    const { question, pen } = this;
    const mark = pen?.mark ?? null;
    if (question === null || pen === null || mark === null || this.busy) return;
    await this.#try(async () => {
      const { attempt, question: told } = await this.api.answer(question.question, mark);
      if (this.question?.question !== told.question) return;
      this.score = attempt;
      this.question = told;
      this.questions = this.questions.map((one) => (one.question === told.question ? told : one));
      this.phase = 'result';
      pen.close(this.#answerOf(told));
    });
  }

  /** Everybody's marks on the frame, and the expert's. */
  async showAttempts(question: Question): Promise<void> {
    await this.#try(async () => {
      const { attempts, before } = await this.api.attempts(question.question);
      this.#stand('attempts', question, question);
      this.given = attempts;
      this.before = before;
      this.#showGiven();
    });
  }

  setFirstOnly(firstOnly: boolean): void {
    this.firstOnly = firstOnly;
    this.#showGiven();
  }

  #showGiven(): void {
    const { pen, question } = this;
    if (pen === null || question === null) return;
    const given = this.given.filter(({ first }) => first || !this.firstOnly);
    const people = [...new Set(this.given.map(({ person }) => person))];
    const marks = given.map(({ mark, name, person }): Shown => ({ mark, name, colour: PALETTE[people.indexOf(person) % PALETTE.length] ?? OWN_COLOUR }));
    pen.heat = given.map(({ mark }) => placeOf(mark));
    // of very many the heat says more than their marks
    pen.close([...(marks.length <= MOST_MARKS ? marks : []), ...this.#answerOf(question)]);
  }

  /** Marks of experts that stand now on the large picture: what a question can be about. */
  standing(): StandingMark[] {
    const camera = this.replay.cameras[this.replay.main];
    if (camera === undefined) return [];
    return this.replay.overlay.marks(camera.producer).flatMap(({ mark, name, colour }) => (isVideo(mark.anchor) ? [{ mark, anchor: mark.anchor, name, colour }] : []));
  }

  /** Begin a question on the frame that is shown, or on that of an expert's mark. */
  make(from: StandingMark | null): void {
    const { replay } = this;
    const camera = replay.cameras[replay.main];
    const rtpTimestamp = from?.anchor.rtp_timestamp ?? replay.rtpTimestamp;
    if (camera === undefined || rtpTimestamp === null) return;
    this.#stand('making', null, { producer: camera.producer, rtp_timestamp: rtpTimestamp, at: replay.position });
    if (from !== null) this.pen?.close([{ mark: from.mark, name: from.name, colour: from.colour }]);
  }

  async keep(asked: Pick<NewQuestion, 'prompt' | 'words' | 'tolerance' | 'overlap'>, log: string | null): Promise<void> {
    const [wanted, mark] = [this.#wanted, this.pen?.mark ?? null];
    if (wanted === null || (log === null && mark === null)) return;
    await this.#try(async () => {
      const answer = log !== null ? { log } : { mark: mark as Mark };
      await this.api.ask(this.replay.description.recording, { producer: wanted.producer, rtp_timestamp: wanted.rtpTimestamp, at: Math.max(0, wanted.at), answer, ...asked });
      this.questions = await this.api.questions(this.replay.description.recording);
      this.leave();
    });
  }

  /** Change a question on its frame; its answer stays on the picture unless it is drawn `anew`. */
  edit(question: Question, anew = false): void {
    this.#stand('making', question, question);
    if (!anew) this.pen?.close(this.#answerOf(question));
  }

  /** Keep what was changed. What was answered before stays measured by what was asked then. */
  async change(question: Question, asked: Pick<NewQuestion, 'prompt' | 'words' | 'tolerance' | 'overlap'>): Promise<void> {
    const { pen } = this;
    const mark = pen === null || pen.isClosed ? null : pen.mark;
    if (pen === null || (!pen.isClosed && mark === null)) return;
    await this.#try(async () => {
      const told = await this.api.change(question.question, { version: question.version, ...asked, ...(mark === null ? {} : { answer: { mark } }) });
      this.questions = this.questions.map((one) => (one.question === told.question ? told : one));
      await this.showAttempts(told);
    });
  }

  async remove(question: Question): Promise<void> {
    await this.#try(async () => {
      await this.api.removeQuestion(question.question);
      this.questions = this.questions.filter((one) => one.question !== question.question);
      this.leave();
      this.removed = question;
    });
  }

  /** Bring back the question that was taken away last. */
  async undo(): Promise<void> {
    const { removed } = this;
    if (removed === null || this.busy) return;
    await this.#try(async () => {
      const told = await this.api.restoreQuestion(removed.question);
      this.removed = null;
      this.questions = [...this.questions, told].sort((a, b) => a.at - b.at);
    });
  }

  /** Back to the list; the replay stays where it is. */
  leave(): void {
    this.phase = 'list';
    this.question = this.score = this.pen = this.#wanted = null;
    this.given = [];
    this.before = [];
    this.failure = '';
    this.replay.quiz = null;
  }

  /** Leave, and play on. */
  goOn(): void {
    this.leave();
    if (!this.replay.playing) this.replay.toggle();
  }

  #answerOf({ answer }: Question): Shown[] {
    return answer === null ? [] : [{ mark: answer.mark, name: answer.expert, colour: ANSWER_COLOUR }];
  }

  #stand(phase: Phase, question: Question | null, frame: { producer: number; rtp_timestamp: number; at: number }): void {
    const { replay } = this;
    const index = replay.cameras.findIndex(({ producer }) => producer === frame.producer);
    const camera = replay.cameras[index];
    if (camera === undefined) return;
    this.leave();
    if (replay.playing) replay.toggle();
    if (replay.main !== index) replay.setMain(index);
    const pen = new QuizPen({ producer: frame.producer, rtp_timestamp: frame.rtp_timestamp }, () => t('quiz_you'));
    pen.on('changed', () => (this.drawn = pen.mark !== null));
    this.drawn = false;
    this.pen = pen;
    replay.quiz = pen;
    this.phase = phase;
    this.question = question;
    this.open = true;
    this.frame = 'coming';
    this.#wanted = { producer: frame.producer, rtpTimestamp: frame.rtp_timestamp, at: positionOf(camera, frame.rtp_timestamp, frame.at), since: performance.now(), tries: 0 };
    this.#seek(this.#wanted);
  }

  #seek(wanted: { at: number; since: number; tries: number }): void {
    wanted.since = performance.now();
    // another place within the frame where the first did not do: containers round
    this.replay.seek(wanted.at + 0.003 * wanted.tries, true);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.failure = '';
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ReplayError)) throw error;
      this.failure = error.status === 0 ? t('join_server_away') : error.message;
    } finally {
      this.busy = false;
    }
  }
}
