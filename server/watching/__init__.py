"""What the server sees of a field: single frames as images, and where the tissue under a mark has gone.

The live path decodes nothing. Here the tap's copy of a field is kept compressed (`backlog`), and worker processes
decode it: one for each still (`stills`), one for each field that bears marks (`field`). `watcher` is a room's.
"""
