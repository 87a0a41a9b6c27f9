"""How much a subscriber's line carries, and who is sent what of it: pure decisions, without clock or socket."""
