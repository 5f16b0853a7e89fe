"""Having the model write one question anew."""
