"""Seals what a recording consists of, and binds it to what was recorded."""
