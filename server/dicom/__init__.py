"""The images of rooms: kept, looked for, decoded in other processes, and served (annotation/dicom/DICOMWEB.md)."""
