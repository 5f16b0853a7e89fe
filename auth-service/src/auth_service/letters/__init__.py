"""Letters by e-mail, and the one-time tokens in their links."""
