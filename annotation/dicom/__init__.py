"""DICOM without a clock, a socket or a disk: what a file holds, what of it may be seen by whom, and its pictures."""
