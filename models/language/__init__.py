"""Models of text, which predict characters from those around them."""
