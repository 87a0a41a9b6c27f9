"""A recording shown in a live room: paced and renumbered by a worker, put into the packet plane as any producer."""
