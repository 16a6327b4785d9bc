"""What the tasks measure."""
