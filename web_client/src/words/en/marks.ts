/** Words for drawing tools, layers and marks. */
export const marks = {
} as const;
