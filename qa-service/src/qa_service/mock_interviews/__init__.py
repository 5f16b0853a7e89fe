"""Mock interviews: the service asks, against the clock, and ends with a report."""
