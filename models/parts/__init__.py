"""What several models share. No model is here: `minigen train` looks for them in the other rooms."""
