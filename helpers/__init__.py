"""Thin helper modules behind the notebooks. A module imports only modules above it in the README's list."""
