"""The doctor: looks at everything that a live stream stands on, and says what to do."""
