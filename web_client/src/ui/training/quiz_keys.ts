/** The keyboard while a question is open: it draws, and nothing of it reaches the player. */
import { toolOfKey } from '../../annotation/shapes';
import type { QuizState } from './quiz_state.svelte';
import { QUIZ_TOOLS } from './quiz_tools';

/** To be called before all others hear of the key. */
export function handleQuizKey(quiz: QuizState, event: KeyboardEvent): void {
  const { pen, phase } = quiz;
  if (phase === 'list' && quiz.open && quiz.removed !== null && event.ctrlKey && event.key.toLowerCase() === 'z' && !isTyping(event)) {
    event.preventDefault();
    event.stopPropagation();
    return void quiz.undo();
  }
  if (phase === 'list' || pen === null || document.querySelector('dialog[open]') !== null) return;
  const { target } = event;
  if (isTyping(event)) return;
  const key = event.key.toLowerCase();
  if (key === 'tab' || event.metaKey || event.altKey) return;
  const onButton = target instanceof HTMLElement && target.closest('button, [role="radio"]') !== null;
  if (onButton && (key === 'enter' || key === ' ') && !event.ctrlKey) return event.stopPropagation();
  if (act(quiz, key, event)) event.preventDefault();
  event.stopPropagation();
}

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select');
}

function act(quiz: QuizState, key: string, { ctrlKey, shiftKey }: KeyboardEvent): boolean {
  const { pen, phase } = quiz;
  if (pen === null) return false;
  const draws = phase === 'answering' || (phase === 'making' && !pen.isClosed);
  if (ctrlKey && key === 'enter') {
    if (phase === 'answering') void quiz.submit();
    else if (phase === 'result') quiz.goOn();
    return true;
  }
  if (draws) {
    const tool = ctrlKey ? null : toolOfKey(key);
    if (tool !== null && QUIZ_TOOLS.some((one) => one === tool)) {
      pen.tools.choose(tool);
      return true;
    }
    if (pen.pens.crosshair.handleKey(key, { shift: shiftKey, control: ctrlKey }, performance.now())) return true;
    if (key === 'delete' || key === 'backspace' || (ctrlKey && key === 'z')) {
      pen.clear();
      return true;
    }
  }
  if (key === 'e' && !ctrlKey && phase === 'attempts' && quiz.question !== null) {
    quiz.edit(quiz.question);
    return true;
  }
  if (key === 'escape') {
    quiz.leave();
    return true;
  }
  return false;
}
