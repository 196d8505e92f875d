"""Infrastructure: HTTP, URLs that others chose, and prefetching."""
