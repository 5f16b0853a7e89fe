"""Who did what to an account, and when: for its owner, and for administrators."""
