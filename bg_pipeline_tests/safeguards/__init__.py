"""Every safeguard with the test that goes red without it: `python -m bg_pipeline_tests.safeguards` takes each out."""
