"""What the models are good for, each on a task of its own."""
