"""Other servers, for comparison."""
PEERS = {}
