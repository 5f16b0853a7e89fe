"""Who is asking: access tokens of people, tokens of services, and their revocation."""
