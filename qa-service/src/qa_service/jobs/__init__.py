"""Jobs as their owner sees them."""
