import { beforeEach, expect, test } from 'vitest';
import { Contacts, type Contact } from '../src/annotation/contacts';

let contacts: Contacts;
beforeEach(() => {
  contacts = new Contacts();
});

const finger = (pointer: number, size = 24): Contact => ({ pointer, kind: 'touch', width: size, height: size });
const pen: Contact = { pointer: 90, kind: 'pen', width: 1, height: 1 };
const mouse: Contact = { pointer: 1, kind: 'mouse', width: 1, height: 1 };

test('one finger draws, and lifts', () => {
  expect(contacts.handleDown(finger(2), 0)).toBe('draw');
  expect(contacts.handleMove(finger(2), 10)).toBe('draw');
  expect(contacts.handleUp(2)).toBe(true);
  expect(contacts.handleUp(2)).toBe(false);
});

test('a second finger gives up what the first drew, and none draws until all are up', () => {
  contacts.handleDown(finger(2), 0);
  expect(contacts.handleDown(finger(3), 50)).toBe('cancel');
  expect(contacts.handleMove(finger(2), 60)).toBe('ignore');
  contacts.handleUp(3);
  expect(contacts.handleDown(finger(4), 70)).toBe('ignore');
  contacts.handleUp(2);
  contacts.handleUp(4);
  expect(contacts.handleDown(finger(5), 80)).toBe('draw');
});

test('a palm does not draw, nor does a finger that becomes one', () => {
  expect(contacts.handleDown(finger(2, 120), 0)).toBe('ignore');
  contacts.handleUp(2);
  contacts.handleDown(finger(3), 10);
  expect(contacts.handleMove(finger(3, 120), 20)).toBe('cancel');
  expect(contacts.active).toBe(false);
});

test('the hand that holds the pen does not draw, nor shortly after', () => {
  contacts.handleDown(pen, 0);
  expect(contacts.handleDown(finger(2), 10)).toBe('ignore');
  contacts.handleUp(90);
  expect(contacts.handleMove(finger(2), 20)).toBe('ignore');
  contacts.handleUp(2);
  expect(contacts.handleDown(finger(3), 500)).toBe('ignore');
  contacts.handleUp(3);
  expect(contacts.handleDown(finger(4), 3000)).toBe('draw');
});

test('the pen draws in place of the hand that came first', () => {
  contacts.handleDown(finger(2), 0);
  expect(contacts.handleDown(pen, 30)).toBe('replace');
  expect(contacts.isDrawing(90)).toBe(true);
  expect(contacts.handleUp(2)).toBe(false);
});

test('a pen that only hovers keeps the hand from drawing', () => {
  expect(contacts.handleMove(pen, 0)).toBe('ignore');
  expect(contacts.handleDown(finger(2), 100)).toBe('ignore');
});

test('a mouse draws, but not beside a finger', () => {
  expect(contacts.handleDown(mouse, 0)).toBe('draw');
  contacts.handleUp(1);
  contacts.handleDown(finger(2), 10);
  expect(contacts.handleDown(mouse, 20)).toBe('ignore');
});
