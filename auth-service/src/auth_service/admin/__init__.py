"""What administrators may do with other people's accounts: find, lock, unlock, log out."""
