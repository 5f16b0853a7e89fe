"""Work on schedule: services say what and when, one leader among the schedulers says now, one worker does it."""
