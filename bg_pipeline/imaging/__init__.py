"""Pictures in memory: decoding within limits, cutting, checking, rendering, contact sheets. No I/O."""
