"""Files of a finished recording, made by a worker process."""

#: The worker's word for: the frame indices alone.
INDICES = "--indices"
