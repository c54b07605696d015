"""The synchronous face that cells and magics call."""
