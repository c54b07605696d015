"""The asyncio client of the protocol, for scripts and for the sidecar."""
