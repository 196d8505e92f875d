"""The demo: a made-up shop, and two nights of it."""
