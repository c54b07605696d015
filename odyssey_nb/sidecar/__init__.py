"""The process beside the kernel that holds every connection."""
