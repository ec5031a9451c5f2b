"""One yaml per choice; this file makes the folder readable as pkg://configs."""
