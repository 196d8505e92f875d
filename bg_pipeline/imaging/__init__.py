"""Pixels: reading them within limits, cutting, checking, rendering, showing. No I/O but memory."""
