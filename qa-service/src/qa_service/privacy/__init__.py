"""What qa-service holds of people."""
