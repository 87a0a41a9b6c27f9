import { expect, test } from 'vitest';
import { insist } from '../src/loading/again';

test('what is lost is fetched again until it comes', async () => {
  let asked = 0;
  const fetch = (): Promise<string> => {
    asked += 1;
    return asked < 3 ? Promise.reject(new TypeError('lost')) : Promise.resolve('here');
  };
  expect([await insist(fetch, [0, 0, 0]), asked]).toEqual(['here', 3]);
});

test('what never comes is said after the last try', async () => {
  let asked = 0;
  const fetch = (): Promise<never> => Promise.reject(new TypeError(`lost ${(asked += 1)}`));
  await expect(insist(fetch, [0, 0])).rejects.toThrow('lost 3');
});
