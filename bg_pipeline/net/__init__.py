"""Infrastructure: HTTP, fetching untrusted URLs, and prefetching."""
