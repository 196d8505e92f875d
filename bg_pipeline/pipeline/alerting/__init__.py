"""Alert a person: find what is wrong, decide what is news and keep that, deliver it in a call of its own."""
