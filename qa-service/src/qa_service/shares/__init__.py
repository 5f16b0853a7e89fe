"""Links that show a session to whoever has them."""
