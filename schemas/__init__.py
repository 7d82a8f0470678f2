"""What crosses a boundary: events, items, keys, stream records. Imports nothing else of this project."""
