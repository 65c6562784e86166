"""Checks deploy/ as far as that goes without a container engine, a cluster or a host to install on: `make check-deploy`."""
