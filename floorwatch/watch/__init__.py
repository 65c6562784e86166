"""`floorwatch watch`: a client of the feed in a terminal. Written from docs/feed.md alone; it shares no code with the monitor."""
