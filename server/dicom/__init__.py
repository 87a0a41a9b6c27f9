"""The images of rooms: kept, looked for, decoded in other processes, and served as DICOMweb (annotation/dicom/DICOMWEB.md)."""
