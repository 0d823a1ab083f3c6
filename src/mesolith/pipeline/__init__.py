"""Steps, parts, the store and the executors. Nothing in here knows any science."""
