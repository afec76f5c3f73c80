"""The pipeline: threads, queues, timing modes, frame accounting and reports."""
