"""The pure state machine: no IO, no clock, no entropy source, no threads, no logging."""
