/**
 * Speech into words, only where the browser does it on this machine: what is said in an operating room goes to nobody
 * else's servers. Where there is no such recognition an instruction bears the sign that it was spoken, and no words.
 */

interface Alternative {
  readonly transcript: string;
}
interface RecognitionEvent {
  readonly results: ArrayLike<ArrayLike<Alternative>>;
}
interface Recogniser {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  processLocally: boolean;
  onresult: ((event: RecognitionEvent) => void) | null;
  onend: (() => void) | null;
  onerror: (() => void) | null;
  start(): void;
  stop(): void;
}
interface RecogniserMaker {
  new (): Recogniser;
  available?: (options: { langs: string[]; processLocally: boolean }) => Promise<string>;
}

/** After the key is let go, so long is waited for the last words. */
const LAST_WORDS_MS = 1500;

/** What makes a recogniser that listens on this machine; null: this browser has none, or not in this language. */
export async function localSpeech(language: string, scope: object = globalThis): Promise<RecogniserMaker | null> {
  const maker = (scope as { SpeechRecognition?: RecogniserMaker }).SpeechRecognition;
  if (maker?.available === undefined) return null;
  try {
    const state = await maker.available({ langs: [language], processLocally: true });
    return state === 'available' ? maker : null;
  } catch {
    return null;
  }
}

/** Listen until the function returned is called; it gives what was understood, or ''. */
export function listen(maker: RecogniserMaker, language: string): () => Promise<string> {
  const recogniser = new maker();
  recogniser.lang = language;
  recogniser.continuous = true;
  recogniser.interimResults = false;
  recogniser.processLocally = true;
  let words = '';
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (ended = resolve));
  recogniser.onresult = ({ results }) => {
    words = Array.from(results, (result) => result[0]?.transcript ?? '').join(' ').trim();
  };
  recogniser.onend = () => ended();
  recogniser.onerror = () => ended();
  recogniser.start();
  return async () => {
    recogniser.stop();
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
    return words;
  };
}
