/** Which key does what in a replay; Help.svelte lists them. */
import { hasBoard } from '../../replay/talk';
import type { Replay } from '../replay.svelte';
import type { ReplayStills } from '../replay_stills.svelte';
import type { Study } from '../study.svelte';
import type { ReplaySideName } from './replay_sides';

export interface Hands {
  replay: Replay;
  stills: ReplayStills;
  study: Study;
  toggleFullScreen: () => void;
  toggleSide: (name: ReplaySideName) => void;
  toggleBoard: () => void;
  toggleImages: () => void;
  help: () => void;
}

export function keysOf({ replay, stills, study, ...view }: Hands): Readonly<Record<string, () => void>> {
  const { seconds } = replay.description;
  return {
    ' ': () => replay.toggle(),
    k: () => replay.toggle(),
    arrowleft: () => replay.jump(-5),
    arrowright: () => replay.jump(5),
    ',': () => replay.step(-1),
    '.': () => replay.step(1),
    '-': () => replay.shiftSpeed(-1),
    '+': () => replay.shiftSpeed(1),
    '=': () => replay.shiftSpeed(1),
    home: () => replay.seek(0),
    end: () => replay.seek(seconds),
    arrowup: () => study.go(-1),
    arrowdown: () => study.go(1),
    a: () => replay.setRange((repeat) => repeat.press(replay.position)),
    l: () => replay.setRange((repeat) => (repeat.whole = !repeat.whole)),
    i: () => replay.setRange((repeat) => repeat.setIn(replay.position)),
    o: () => replay.setRange((repeat) => repeat.setOut(replay.position)),
    x: () => study.clip(),
    n: () => study.bookmark(),
    c: () => study.comment(),
    u: () => void study.undo(),
    y: () => void study.copyLink(),
    s: () => study.nextSolo(),
    e: () => (study.open = !study.open),
    z: () => study.zoom(1),
    'shift+z': () => study.zoom(-1),
    '0': () => study.whole(),
    v: () => study.nextLayout(),
    p: () => replay.nextMain(),
    'shift+p': () => study.pin(replay.main),
    f: view.toggleFullScreen,
    t: () => view.toggleSide('chat'),
    g: () => view.toggleSide('stills'),
    h: () => view.toggleSide('notes'),
    b: () => (hasBoard(replay.description) ? view.toggleBoard() : undefined),
    d: view.toggleImages,
    m: () => (replay.sound = !replay.sound),
    escape: () => stills.close(replay.position),
    '?': view.help,
  };
}

/** Whether what has the focus takes this key itself. */
function isTaken(target: EventTarget | null, key: string): boolean {
  if (target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLInputElement) return !['range', 'checkbox'].includes(target.type) || (target.type === 'checkbox' && key === ' ');
  if (target instanceof HTMLButtonElement && (key === ' ' || key === 'Enter')) return true;
  // lists are scrolled by these
  return target instanceof Element && ['ArrowUp', 'ArrowDown', 'Home', 'End'].includes(key) && target.closest('[role="tabpanel"]') !== null;
}

export function handleKey(event: KeyboardEvent, keys: Readonly<Record<string, () => void>>): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTaken(event.target, event.key)) return;
  if (document.querySelector('dialog[open]') !== null) return;
  const key = event.key.toLowerCase();
  const act = keys[event.shiftKey && /^[a-z]$/.test(key) ? `shift+${key}` : key];
  if (act === undefined) return;
  event.preventDefault();
  act();
}
