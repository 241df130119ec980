"""From a venue and a recipient to a short-term token."""
