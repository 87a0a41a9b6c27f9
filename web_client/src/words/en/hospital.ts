/** Words for patient, worklist, and what goes to the PACS. */
export const hospital = {
} as const;
