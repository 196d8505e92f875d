"""Alerting, from the records of runs to a person."""
