import { expect, test } from 'vitest';
import { audienceOf, belongs, choiceOf, type AudienceChoice } from '../src/signalling/audience';

test.each<AudienceChoice>(['everybody', 'team', 'leaders'])('the usual choice %s is known again', (choice) => {
  expect(choiceOf(audienceOf(choice, ['observer'], ['pt-x']))).toBe(choice);
});

test('what is none of the usual ones was chosen', () => {
  for (const audience of [
    { roles: ['surgeon' as const], participants: [] },
    { roles: ['surgeon' as const, 'chair' as const], participants: ['pt-x'] },
    { roles: ['surgeon' as const, 'trainee' as const], participants: [] },
  ]) {
    expect(choiceOf(audience)).toBe('chosen');
    expect(audienceOf('chosen', audience.roles, audience.participants)).toEqual(audience);
  }
  expect(choiceOf({ roles: ['chair', 'surgeon'], participants: [] })).toBe('leaders');
});

test('one belongs by role or by name', () => {
  const audience = { roles: ['surgeon' as const], participants: ['pt-x'] };
  expect(belongs(audience, { participant: 'pt-x', role: 'trainee' })).toBe(true);
  expect(belongs(audience, { participant: 'pt-y', role: 'surgeon' })).toBe(true);
  expect(belongs(audience, { participant: 'pt-y', role: 'trainee' })).toBe(false);
  expect(belongs(null, { participant: 'pt-y', role: 'trainee' })).toBe(true);
});
