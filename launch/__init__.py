"""Commands: run an experiment, evaluate and sample what it made, measure speed."""
