"""What binds a recording's parts to what was recorded. So far: the hash that names a frozen frame's file."""
