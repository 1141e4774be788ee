"""From a table to a published version: one configuration file, one command, the same result each time."""
