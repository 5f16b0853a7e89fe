"""The weekly letter of the questions that a person has to go through, for who wants it."""
