"""The language model: how it is asked, what it costs, what it has said."""
