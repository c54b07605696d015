"""Pictures and their timing: H.264, RTP, the ring, arrays and files."""
