import { describe, expect, it } from 'vitest';
import { CROWDED, Declutter, NEWEST } from '../src/annotation/declutter';

const marks = (count: number): { mark: { mark: string }; draft: boolean }[] =>
  Array.from({ length: count }, (_, index) => ({ mark: { mark: `m-${index}` }, draft: false }));

describe('too many marks', () => {
  it('are all shown until somebody asks for the newest alone', () => {
    const declutter = new Declutter();
    expect(declutter.keep(marks(CROWDED), new Set())).toHaveLength(CROWDED);
    declutter.set(true);
    const kept = declutter.keep(marks(CROWDED), new Set(['m-0']));
    // the newest, and what an instruction means, however old
    expect(kept.map(({ mark }) => mark.mark)).toEqual(['m-0', ...marks(CROWDED).slice(-NEWEST).map(({ mark }) => mark.mark)]);
  });

  it('are no longer too many when some were cleared: then all are shown again', () => {
    const declutter = new Declutter();
    declutter.set(true);
    expect(declutter.keep(marks(CROWDED - 1), new Set())).toHaveLength(CROWDED - 1);
  });

  it('never hide what is being drawn', () => {
    const declutter = new Declutter();
    declutter.set(true);
    const drawing = { mark: { mark: 'draft' }, draft: true };
    expect(declutter.keep([drawing, ...marks(CROWDED)], new Set())).toContain(drawing);
  });
});
