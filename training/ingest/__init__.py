"""From a source to a snapshot: the rows as they were when they were read, under the digest of their bytes."""
