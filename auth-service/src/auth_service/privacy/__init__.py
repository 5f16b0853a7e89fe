"""What auth-service holds of people."""
