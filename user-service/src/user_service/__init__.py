"""user-service: profiles, preferences and notifications."""
