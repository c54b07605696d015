"""What researchers do with clips: measure, and look."""
