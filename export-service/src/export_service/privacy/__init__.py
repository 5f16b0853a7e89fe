"""What export-service holds of people."""
