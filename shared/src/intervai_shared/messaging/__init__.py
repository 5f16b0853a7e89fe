"""Jobs and events: outbox, relay, inbox and the worker process."""
