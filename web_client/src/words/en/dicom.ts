/** Words for the image consultation. */
export const dicom = {
} as const;
