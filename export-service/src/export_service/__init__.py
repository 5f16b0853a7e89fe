"""export-service: interview sessions as files, in S3 behind signed URLs."""
