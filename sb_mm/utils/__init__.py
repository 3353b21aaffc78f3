"""What several of the tools have in common."""
