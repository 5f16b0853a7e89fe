"""Renders and checks deploy/k8s without a cluster: `make lint` runs lint.py."""
