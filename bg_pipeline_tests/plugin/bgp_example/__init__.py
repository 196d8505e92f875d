"""A vendor and a store as another package brings them."""
