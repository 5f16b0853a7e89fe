"""What a service holds of a person: declared once; from that it is erased and shown (GDPR, articles 15, 17, 20)."""
