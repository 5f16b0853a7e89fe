"""Back into one's account: by its e-mail address and its password."""
