"""The demo: an invented shop, and two nightly runs for it."""
