"""HTTP concerns of every service: context, limits, paging, streams, health."""
