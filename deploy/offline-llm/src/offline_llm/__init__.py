"""A small server of OpenAI's chat-completions API over a curated bank of interview questions."""
