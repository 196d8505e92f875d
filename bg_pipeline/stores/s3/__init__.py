"""S3 buckets as sources and stores."""
