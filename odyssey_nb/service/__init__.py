"""The local service: a complete server of the Odyssey streaming protocol."""
