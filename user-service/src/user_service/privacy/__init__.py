"""Erasure of people from all services, and their data from all services in one file."""
