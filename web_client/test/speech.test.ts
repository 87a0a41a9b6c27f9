import { describe, expect, it } from 'vitest';
import { listen, localSpeech } from '../src/media/speech';

/** Hears what it is told to. */
class Ear {
  static state = 'available';
  static options: unknown = null;
  static words: string[] = [];
  lang = '';
  continuous = false;
  interimResults = true;
  processLocally = false;
  onresult: ((event: { results: { transcript: string }[][] }) => void) | null = null;
  onend: (() => void) | null = null;
  onerror: (() => void) | null = null;
  static available(options: unknown): Promise<string> {
    Ear.options = options;
    return Promise.resolve(Ear.state);
  }
  start(): void {
    if (!this.processLocally) throw new Error('What is said would leave this machine.');
  }
  stop(): void {
    this.onresult?.({ results: Ear.words.map((transcript) => [{ transcript }]) });
    this.onend?.();
  }
}

describe('speech into words', () => {
  it('is used only where it is done on this machine', async () => {
    expect(await localSpeech('en-US', {})).toBe(null);
    expect(await localSpeech('en-US', { SpeechRecognition: class {} })).toBe(null);
    Ear.state = 'downloadable';
    expect(await localSpeech('en-US', { SpeechRecognition: Ear })).toBe(null);
    Ear.state = 'available';
    expect(await localSpeech('zh-CN', { SpeechRecognition: Ear })).toBe(Ear);
    expect(Ear.options).toEqual({ langs: ['zh-CN'], processLocally: true });
  });

  it('gives what was understood when the key is let go', async () => {
    Ear.words = ['clip', 'the duct '];
    const maker = await localSpeech('en-US', { SpeechRecognition: Ear });
    expect(maker).not.toBe(null);
    if (maker !== null) expect(await listen(maker, 'en-US')()).toBe('clip the duct');
  });
});
