import { describe, expect, it } from 'vitest';
import { textOf } from '../src/dicom/attributes';
import { sayPersonName } from '../src/names';

describe('a name', () => {
  it.each([
    ['Wang^XiaoDong=王^小东', 'Wang, XiaoDong (王小东)', '王小东 (Wang, XiaoDong)'],
    ['=王^小东', '王小东', '王小东'],
    ['王^小东', '王小东', '王小东'],
    ['王^小东=王^小东', '王小东', '王小东'],
    ['Yamada^Tarou=山田^太郎=やまだ^たろう', 'Yamada, Tarou (山田太郎)', '山田太郎 (Yamada, Tarou)'],
    ['==やまだ^たろう', 'やまだたろう', 'やまだたろう'],
    ['Keller^Anna^Maria^Dr.', 'Keller, Anna Maria', 'Keller, Anna Maria'],
    ['Keller', 'Keller', 'Keller'],
    ['^Anna', 'Anna', 'Anna'],
    ['Patient A', 'Patient A', 'Patient A'],
    ['', '', ''],
  ])('%s', (name, english, chinese) => {
    expect([sayPersonName(name, 'en'), sayPersonName(name, 'zh')]).toEqual([english, chinese]);
  });

  it('comes out of DICOM JSON with all its groups', () => {
    const of = (value: object): string => textOf({ '00100010': { vr: 'PN', Value: [value] } }, '00100010');
    expect(of({ Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小东' })).toBe('Wang^XiaoDong=王^小东');
    expect(of({ Ideographic: '王^小东' })).toBe('=王^小东');
    expect(of({ Alphabetic: 'Keller^Anna' })).toBe('Keller^Anna');
  });
});
