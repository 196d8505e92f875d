"""The way of the money: what is wrapped round a client, the gate, and from an item to its master."""
