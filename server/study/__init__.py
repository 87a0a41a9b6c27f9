"""What people keep of a recording for themselves or for each other: bookmarks, comments, clips."""
