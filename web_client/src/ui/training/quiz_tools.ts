/** What a question is answered with. */
import type { Tool } from '../../annotation/tools';

export const QUIZ_TOOLS = ['pin', 'arrow', 'line', 'ellipse', 'polygon', 'freehand'] as const satisfies readonly Tool[];
